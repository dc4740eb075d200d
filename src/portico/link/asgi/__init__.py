"""ASGI apps behind `uwsgi_pass`: requests from raw sockets in one event loop, without transports and without HTTP
parsing.
"""
