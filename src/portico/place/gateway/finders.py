"""Which web servers are looked for: one for each kind of gateway (`plan.gateway.kinds`)."""

from __future__ import annotations

from portico.place.gateway.finder import Finder
from portico.place.gateway.httpd import HTTPD
from portico.place.gateway.nginx import NGINX

FINDERS = (NGINX, HTTPD)


def finder_named(program: str) -> Finder:
    return next(finder for finder in FINDERS if finder.program == program)
