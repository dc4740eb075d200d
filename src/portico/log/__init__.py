"""The lines of a running site's logs, read back: one reader for each kind of line, used by every room."""
