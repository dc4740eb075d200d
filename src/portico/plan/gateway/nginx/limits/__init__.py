"""Limits for each client; nginx refuses with 429, not with its default 503."""
