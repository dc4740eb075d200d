"""Readers of a running site's logs: one for each kind of line, used by every room."""
