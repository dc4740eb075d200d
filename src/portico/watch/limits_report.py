"""What a site's limits refused, or would have refused: limit by limit, with the most affected clients."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from portico.log.asked import Asked
from portico.log.errors.limit import Refusal
from portico.protocol.status import Ban, LimitInForce

_MOST_CLIENTS, _MOST_SHOWN, _MOST_ZONES = 100_000, 5, 1000
OTHERS = "(others)"
"""Clients beyond those that are counted one by one."""


class Refused(msgspec.Struct, frozen=True):
    """A client, an IPv4 address or an IPv6 network of 64 bits, and how often a limit refused it or would have."""

    client: str
    count: int


class LimitReport(msgspec.Struct, frozen=True):
    """One limit. `limit` is empty if the site does not run, or has it no longer."""

    zone: str
    limit: str
    of: str
    per: str
    cause: str
    refused: int
    would_refuse: int
    """In a dry run."""
    last: str | None
    """The last time."""
    clients: tuple[Refused, ...]
    """The most affected clients."""


class PassesReport(msgspec.Struct, frozen=True):
    """Whom costly routes asked for a pass. `asked` and `would_ask` are requests, `passes` those that were given."""

    asked: int
    would_ask: int
    """In a dry run."""
    passes: int
    last: str | None
    """When it asked for the last time."""
    clients: tuple[Refused, ...]
    """Those that it asked most often."""


class LimitsReport(msgspec.Struct, frozen=True):
    """Every limit in force, and those of before that refused somebody; and who is banned, the latest first."""

    is_dry_run: bool
    limits: tuple[LimitReport, ...]
    bans: tuple[Ban, ...] = ()
    is_ban_dry_run: bool = False
    challenge: PassesReport | None = None
    """None where nobody was asked for a pass."""


class _Count:
    def __init__(self) -> None:
        self.refused = self.would_refuse = 0
        self.last = 0.0
        self.clients = Counter[str]()

    def most(self) -> tuple[Refused, ...]:
        """The clients that it met most often."""
        networks = Counter[str]()
        for client, times in self.clients.items():
            networks[_network(client)] += times
        return tuple(Refused(*one) for one in networks.most_common(_MOST_SHOWN))

    def add(self, one: Refusal | Asked) -> None:
        self.refused += not one.is_dry_run
        self.would_refuse += one.is_dry_run
        self.last = max(self.last, one.at)
        known = one.client in self.clients or len(self.clients) < _MOST_CLIENTS
        self.clients[one.client if known else OTHERS] += 1


def report(
    found: Iterable[Refusal], limits: Sequence[LimitInForce], *, is_dry_run: bool = False
) -> LimitsReport:
    """The limits in force in their order, then earlier ones."""
    counts = {one.zone: _Count() for one in limits}
    for one in found:
        if one.zone in counts or len(counts) < _MOST_ZONES:
            counts.setdefault(one.zone, _Count()).add(one)
    known = {one.zone: one for one in limits}
    made = (_report(zone, count, known.get(zone)) for zone, count in counts.items())
    return LimitsReport(is_dry_run, tuple(made))


def passes(found: Iterable[Asked]) -> PassesReport | None:
    """What the challenge did; None where it did nothing."""
    count, given = _Count(), 0
    for one in found:
        given += one.has_pass
        if not one.has_pass:
            count.add(one)
    if not (given or count.last):
        return None
    return PassesReport(count.refused, count.would_refuse, given, _when(count), count.most())


def _report(zone: str, count: _Count, limit: LimitInForce | None) -> LimitReport:
    return LimitReport(
        zone=zone,
        limit=limit.limit if limit else "",
        of=limit.of if limit else "",
        per=limit.per if limit else "",
        cause=limit.cause if limit else "",
        refused=count.refused,
        would_refuse=count.would_refuse,
        last=_when(count),
        clients=count.most(),
    )


def _when(count: _Count) -> str | None:
    return datetime.fromtimestamp(count.last).astimezone().isoformat() if count.last else None


def _network(client: str) -> str:
    """The unit that counts as one client."""
    if ":" not in client:
        return client
    try:
        return str(ipaddress.ip_network(f"{client}/64", strict=False))
    except ValueError:
        return client
