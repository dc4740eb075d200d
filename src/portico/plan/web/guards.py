"""What is asked of a request before the app sees it, in order: each guard lets it through or answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portico.place.model import Place
from portico.plan.paths import Paths
from portico.plan.web.limits import Limits, Rate, Share
from portico.site.model import Routed


@dataclass(frozen=True)
class Open:
    """The site is not closed for maintenance: else 503, but for the addresses that were let in.

    `directory` has the file `on` while it is closed, and `allowed/ADDRESS` for who is let in.
    """

    directory: str


@dataclass(frozen=True)
class HeadSize:
    """The head fits what carries it to the app: else 431. `most` is in bytes."""

    most: int


@dataclass(frozen=True)
class RequestRate:
    """The client begins no more requests than it may: else 429."""

    rate: Rate


@dataclass(frozen=True)
class InProgress:
    """The client has no more requests to the app in progress than it may: else 429."""

    share: Share


Guard = Open | HeadSize | RequestRate | InProgress

MAINTENANCE, HEAD, RATE, CONNECTIONS, UPLOAD, STARTING = (
    "maintenance", "head", "rate", "connections", "upload", "starting",
)  # fmt: skip
"""The names of guards in the log line (`refused_by`): those above, the largest upload, and the start of the app."""
STATUSES = {MAINTENANCE: 503, STARTING: 503, HEAD: 431, UPLOAD: 413, RATE: 429, CONNECTIONS: 429}
"""What each of them answers."""
GUARDS = tuple(STATUSES)
SAYS = (MAINTENANCE, STARTING, HEAD)
"""Those that say themselves that they refuse; of the others the gateway's own limits tell it."""
MOST_HEAD = 56 << 10
"""Bytes of a head: a packet of the uwsgi protocol holds 65 535, and each header needs up to 7 more there."""


@dataclass(frozen=True)
class Chains:
    """The guards of each way to the app, in order: those of the site, and those of routes that have others.

    A request that goes on elsewhere (a WebSocket, an allowed address while the site is closed, a page of a single-page
    app) meets the guards of the route that it came by.
    """

    site: tuple[Guard, ...]
    routes: Mapping[str, tuple[Guard, ...]] = field(default_factory=dict)
    """By the route's pattern; a route that is not there has those of the site."""

    def of(self, routed: Routed | None) -> tuple[Guard, ...]:
        """The guards of what this route answers; None is the rest of the site."""
        return self.routes.get(routed.pattern, self.site) if routed else self.site


def chains(place: Place, limits: Limits) -> Chains:
    """The guards of everything that the app answers."""
    return Chains(_of_site(place, limits))


def _of_site(place: Place, limits: Limits) -> tuple[Guard, ...]:
    chain: list[Guard] = [Open(Paths.of(place).maintenance), HeadSize(MOST_HEAD)]
    if limits.rate:
        chain.append(RequestRate(limits.rate))
    if limits.in_progress:
        chain.append(InProgress(limits.in_progress))
    return tuple(chain)
