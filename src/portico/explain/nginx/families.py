"""The directives that pass a request on."""

from __future__ import annotations

LINKS = ("uwsgi", "proxy", "fastcgi", "scgi", "grpc")
"""The families of directives that pass a request on."""
PASSES = (*(f"{link}_pass" for link in LINKS), "memcached_pass")
