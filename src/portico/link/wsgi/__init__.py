"""One request of a WSGI app, from its first byte to its last, and the threads that serve requests."""
