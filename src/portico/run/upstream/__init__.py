"""Repeated health checks of servers."""
