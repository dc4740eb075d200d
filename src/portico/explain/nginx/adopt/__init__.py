"""A hand-written nginx configuration as options of Portico."""
