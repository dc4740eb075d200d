"""The question that decides whether an app server is well."""

from __future__ import annotations

from portico.plan.model import Health
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web
from portico.site.rules.https import host_of


def health(web: Web) -> Health:
    """Asked as nginx would ask it, for the canonical name of the site."""
    site = web.site
    first = site.options.canonical or next(iter(site.options.domains), "")
    host = host_of(first.removeprefix("*.")) or web.hosts.urls[0].split("/")[2]
    return Health(
        path=site.options.health,
        host=host,
        scheme="https" if site.has_https else "http",
        script_name=site.prefix,
        start_seconds=site.options.start_timeout,
        gateway_path=HEALTH if web.health.is_answered else site.prefix + site.options.health,
        is_http=web.app_server.protocol == "http",
    )
