"""WebSockets: long-lived connections that the worker can close with a status."""
