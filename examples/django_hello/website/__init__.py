"""One page and one static file."""
