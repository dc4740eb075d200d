"""Whether the app is well, for load balancers: they ask by address, so any Host is answered, in one word."""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.web.ability import Ability
from portico.site.checks.https import host_of
from portico.site.model import Site

HEALTH = "/-/health"


@dataclass(frozen=True)
class Health:
    """The gateway asks the app itself. The status counts: no page and nothing that a client sent gets through."""

    is_answered: bool
    """At `HEALTH`: 200 for an app that is well, 503 for one that fails or is not there."""
    path: str
    """What the app is asked for, below its mount."""
    host: str
    """The Host that it is asked on."""
    well: tuple[int, ...]
    """The statuses beside 2xx of an app that is well: one that asks for a login, or sends the client elsewhere."""
    rate: int
    """Questions a second that one address may ask; `burst` more are let through at once."""
    burst: int
    cause: str


def health(site: Site, abilities: frozenset[Ability]) -> Health:
    """How the app is asked. Ten questions a second are more than any load balancer asks."""
    domains = site.options.domains
    return Health(
        is_answered=Ability.HEALTH in abilities,
        path=site.options.health,
        host=host_of(domains[0].removeprefix("*.")) if domains else str(site.public.near),
        well=(301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429),
        rate=10,
        burst=20,
        cause=site.cause("health"),
    )
