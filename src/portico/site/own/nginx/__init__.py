"""Directives of nginx."""
