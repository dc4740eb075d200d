"""Which app server runs the app of a site, and what follows from it."""

from __future__ import annotations

from portico.app_servers.kind import NONE, AppServer, Feature
from portico.app_servers.kinds import KINDS
from portico.site.model import Site


def app_server(site: Site) -> AppServer:
    """The app server of the app. It may be unable to run it: `app_servers.build` says why."""
    if not site.has_app:
        return NONE
    able = Feature.ASGI if site.is_asgi else Feature.WSGI
    named = [kind for kind in KINDS if kind.name == site.options.workers.server]
    found = [kind for kind in named if able in kind.features]
    if needs_http(site):
        found.sort(key=lambda kind: kind.protocol != "http")
    return (found or named)[0]


def process_kind(name: str, mode: str) -> AppServer:
    """The kind of a planned process; NONE if it is not an app server."""
    return next((kind for kind in KINDS if (kind.name, kind.mode) == (name, mode)), NONE)


def needs_http(site: Site) -> bool:
    """Whether an app server that can should speak HTTP.

    httpd's mod_proxy_uwsgi carries no WebSocket, and servers that share the requests speak one protocol.
    """
    others = {server.protocol for server in site.servers if not server.is_app}
    return site.options.gateway == "apache" or bool(others & {"http", "https"})


def protocol(site: Site) -> str:
    """The protocol to the upstream: uwsgi, http, https or fastcgi."""
    kind = app_server(site)
    return kind.protocol if kind is not NONE else next((one.protocol for one in site.servers), "http")


def common_features(site: Site) -> frozenset[Feature]:
    """The features of everything that may answer a request; those of servers elsewhere are unknown, and none of them
    works with a gateway elsewhere.
    """
    return frozenset() if site.servers or not site.has_gateway else app_server(site).features
