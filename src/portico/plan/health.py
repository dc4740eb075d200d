"""The request that decides whether an app server is healthy."""

from __future__ import annotations

from portico.plan.subjects import Health
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web


def health(web: Web) -> Health:
    """The request as nginx would pass it, for the canonical name of the site."""
    hosts, path = web.hosts, web.health.path
    name = hosts.canonical or next(iter(hosts.declared), "")
    return Health(
        path=path,
        host=name.removeprefix("*.") or (hosts.urls[0].split("/")[2] if hosts.urls else web.health.host),
        scheme="https" if web.tls else "http",
        script_name=web.prefix,
        start_seconds=web.site.options.start_timeout,
        gateway_path=HEALTH if web.health.is_answered else web.prefix + path,
        is_http=web.app_server.protocol == "http",
    )
