"""Gunicorn as Portico runs it: its arbiter, the workers for WSGI and ASGI, and their background tasks."""
