"""The health path for load balancers: they ask by address, so any Host is answered, in one word."""

from __future__ import annotations

from msgspec import Struct

from portico.plan.web.ability import Ability
from portico.site.checks.https import host_of
from portico.site.model import Site

HEALTH = "/-/health"


class Health(Struct, frozen=True):
    """The gateway asks the app itself. Only the status passes: no page, and nothing that a client sent."""

    is_answered: bool
    """At `HEALTH`: 200 for a healthy app, 503 for one that fails or is down."""
    path: str
    """The app's path, below its mount."""
    host: str
    """The Host of the request to the app."""
    well: tuple[int, ...]
    """Statuses beside 2xx of a healthy app: one that requires a login, or redirects."""
    rate: int
    """Requests a second from one address; `burst` more pass at once."""
    burst: int
    cause: str


def health(site: Site, abilities: frozenset[Ability]) -> Health:
    """The health check. Ten requests a second are more than any load balancer sends."""
    return Health(
        is_answered=Ability.HEALTH in abilities,
        path=site.options.health,
        host=_host(site),
        well=(301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429),
        rate=10,
        burst=20,
        cause=site.cause("health"),
    )


def _host(site: Site) -> str:
    domains = site.options.domains
    if site.is_routed:
        return "localhost"
    return host_of(domains[0].removeprefix("*.")) if domains else str(site.public.near)
