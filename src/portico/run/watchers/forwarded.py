"""Detects a proxy that `behind` does not name: every client then has the proxy's address.

It reads the end of the log, where the gateway records the headers that Cloudflare and load balancers add. A single
client can send such headers, so they count only if most of the last requests carry them. Where most carry none,
clients reach the site themselves, and such a header is no reason to spare who sends it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from portico.log.reader import last_lines
from portico.log.request import Request
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.protocol.status import ProxyInFront
from portico.run.background import in_background
from portico.run.watchers.bans import is_spared
from portico.site.proxies import KNOWN_PROXIES
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS: Final = 5.0
_TAIL: Final = 1 << 16
"""The bytes of the log that are read: some 150 requests."""
_LEAST: Final = 5
_MOST_NAMED: Final = 3
_HEALTH_CHECKS: Final = ("ELB-HealthChecker", "GoogleHC", "kube-probe")
"""Health checks of a load balancer come from itself and carry no such header."""


class Forwarded:
    """The result, and the receiver of the notice."""

    def __init__(self, in_force: Callable[[], Plan], say: Callable[[Notice], None]) -> None:
        self._in_force, self._say = in_force, say
        self._size = -1
        self._is_direct = False
        self._found: notices.BehindProxy | None = None
        self._is_said = False
        self._one_at_a_time = asyncio.Lock()

    def may_hide_many(self, client: str) -> bool:
        """Whether many clients may be behind this address, whose requests carry headers of a proxy."""
        return not self._is_direct or is_spared(client, KNOWN_PROXIES["cloudflare"])

    async def watch(self) -> Rounds:
        while True:
            await self.look()
            yield WELL
            await tick(LOOK_SECONDS)

    async def look(self) -> ProxyInFront | None:
        """The proxy; None if there is none. It is reported once."""
        async with self._one_at_a_time:  # the watcher and each `portico status` look
            plan = self._in_force()
            if plan.knows_proxies:
                self._found = None
            else:
                self._found = await in_background(lambda: self._read(Path(plan.access_log)))
            if self._found and not self._is_said:
                self._is_said = True
                self._say(self._found)
            found = self._found
        return ProxyInFront(found.by, found.addresses) if found else None

    def _read(self, log: Path) -> notices.BehindProxy | None:
        try:
            size = log.stat().st_size
            if size == self._size:
                return self._found
        except OSError:
            return None
        self._size = size
        read = map(Request.parse, last_lines(log, _TAIL))  # the counter of the lines reports unreadable ones
        requests = [request for request in read if request]
        is_direct = comes_directly(requests)
        self._is_direct = self._is_direct if is_direct is None else is_direct
        return judged(requests)


def judged(requests: Iterable[Request]) -> notices.BehindProxy | None:
    """The proxy whose headers most of these requests carry, and their addresses. Pure."""
    seen = [(one.forwarded, one.client) for one in _telling(requests)]
    kinds = Counter(kind for kind, _ in seen if kind)
    if not kinds or kinds.total() < _LEAST or 2 * kinds.total() < len(seen):
        return None
    by = kinds.most_common(1)[0][0]
    clients = Counter(client for kind, client in seen if kind == by)
    likely = sorted(name for name, _ in clients.most_common(_MOST_NAMED) if _is_near(name))
    return notices.BehindProxy(by, tuple(likely))


def comes_directly(requests: Iterable[Request]) -> bool | None:
    """Whether most of the answered requests come from clients themselves; None: too few are known. Pure."""
    answered = [bool(one.forwarded) for one in _telling(requests) if one.status < 400 and not one.refused_by]
    forwarded = sum(answered)
    if max(forwarded, len(answered) - forwarded) < _LEAST:
        return None
    return 2 * forwarded < len(answered)


def _telling(requests: Iterable[Request]) -> Iterator[Request]:
    """Those whose line has the field, without health checks."""
    for one in requests:
        if one.forwarded is not None and not one.agent.startswith(_HEALTH_CHECKS):
            yield one


def _is_near(client: str) -> bool:
    """Whether that may be the site's own proxy; a public address may be a stranger, who can send such headers."""
    try:
        return ipaddress.ip_address(client).is_private
    except ValueError:
        return False
