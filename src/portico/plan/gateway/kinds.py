"""The kinds of gateway, and which one a place or a plan has. No other module names one."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.httpd.kind import HTTPD
from portico.plan.gateway.kind import GatewayKind
from portico.plan.gateway.nginx.kind import NGINX

GATEWAYS = (NGINX, HTTPD)


def gateway_of(place: Place) -> GatewayKind:
    """The kind whose build the place has."""
    return gateway_named(place.gateway.program)


def gateway_named(name: str) -> GatewayKind:
    """The kind whose process has that name."""
    return next(kind for kind in GATEWAYS if kind.name == name)
