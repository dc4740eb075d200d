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


def at_once(site: Site) -> int:
    """How many requests a worker of an event loop runs at a time; 0: any number, or its threads decide."""
    threads, features = site.options.workers.threads, app_server(site).features
    is_bounded = Feature.ASGI in features and Feature.QUEUE in features
    return threads if is_bounded and threads != "auto" else 0


def has_queue(site: Site) -> bool:
    """Whether requests wait for a worker in a queue that is bounded by time."""
    features = app_server(site).features
    waits = Feature.QUEUE in features and (Feature.WSGI in features or at_once(site) > 0)
    return waits and site.options.workers.queue != 0.0


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
