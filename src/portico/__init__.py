"""Portico puts a Python web app into production behind a real nginx with one command."""

__version__ = "0.1.0"
