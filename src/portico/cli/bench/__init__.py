"""`portico bench`: its questions and its tables."""
