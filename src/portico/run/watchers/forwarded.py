"""Detects a proxy that `behind` does not name: every client then has the proxy's address.

It reads the end of the log, where nginx records the headers that Cloudflare and load balancers add. A single client
can send such headers, so they count only if most of the last requests carry them.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from portico.log.reader import last_lines
from portico.log.request import Request
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.protocol.status import ProxyInFront
from portico.run.background import in_background
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
        self._found: notices.BehindProxy | None = None
        self._is_said = False
        self._one_at_a_time = asyncio.Lock()

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
        return judged(request for request in read if request)


def judged(requests: Iterable[Request]) -> notices.BehindProxy | None:
    """The proxy whose headers most of these requests carry, and their addresses. Pure."""
    forwarded = (one for one in requests if one.forwarded is not None)
    seen = [(one.forwarded, one.client) for one in forwarded if not one.agent.startswith(_HEALTH_CHECKS)]
    kinds = Counter(kind for kind, _ in seen if kind)
    if not kinds or kinds.total() < _LEAST or 2 * kinds.total() < len(seen):
        return None
    by = kinds.most_common(1)[0][0]
    clients = Counter(client for kind, client in seen if kind == by)
    likely = sorted(name for name, _ in clients.most_common(_MOST_NAMED) if _is_near(name))
    return notices.BehindProxy(by, tuple(likely))


def _is_near(client: str) -> bool:
    """Whether that may be the site's own proxy; a public address may be a stranger, who can send such headers."""
    try:
        return ipaddress.ip_address(client).is_private
    except ValueError:
        return False
