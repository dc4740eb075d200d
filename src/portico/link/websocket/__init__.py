"""WebSockets, which last: the worker may have the last word on them."""
