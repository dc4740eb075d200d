"""`portico purge`: deletes cached answers of a URL, of many, or of a tag at once.

An answer that the app was making when the command came contains old data. Such answers are looked for as
long as a request may take, and dropped as soon as they are in the cache.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from portico.plan.gateway.kinds import gateway_named
from portico.plan.model import Plan
from portico.plan.web.ability import Ability
from portico.protocol import commands
from portico.protocol.answers import Purged
from portico.run.background import in_background
from portico.run.gateway.cached import Meant, meant
from portico.run.gateway.program import CacheFiles
from portico.run.gateway.programs import program_of
from portico.ticks import WELL, Round, Rounds, tick

LOOK_SECONDS, IDLE_SECONDS = 0.5, 1.0
_SLACK_SECONDS = 2.0
"""File times lag behind the clock by a tick of the kernel, and those in the head of an answer have no fractions."""


class Purge:
    """Runs purge commands; `watch` must run beside the serving."""

    def __init__(self, in_force: Callable[[], Plan]) -> None:
        self._in_force = in_force
        self._recent: list[tuple[float, Meant]] = []
        self._lock = threading.Lock()

    async def give(self, asked: commands.Purge) -> AsyncGenerator[Purged, None]:
        """Purge what is `asked` for, one item per line. Raises PorticoError for an invalid item."""
        wanted = [meant(what) for what in asked.what.split("\n") if what]
        now = time.time()
        self._recent += [(now, each) for each in wanted]
        count = await in_background(lambda: self._drop_all(wanted))
        yield Purged(count, _no_cache(self._in_force()))

    async def watch(self) -> Rounds:
        """Drop answers that were in progress at a purge, as soon as they are in the cache."""
        while True:
            await tick(LOOK_SECONDS if self._recent else IDLE_SECONDS)
            forget = time.time() - self._in_force().ladder.drain_seconds - _SLACK_SECONDS
            self._recent = [(at, each) for at, each in self._recent if at > forget]
            yield await in_background(self._drop_late) if self._recent else WELL

    def _drop_all(self, wanted: list[Meant]) -> int:
        plan = self._in_force()
        cache = program_of(plan).cache
        with self._lock:
            found = filter(None, map(cache.read, cache.files(plan.cache, 0.0)))
            return sum(cache.drop(each) for each in found if any(is_meant(each) for is_meant in wanted))

    def _drop_late(self) -> Round:
        """The files that could not be read."""
        recent, wrong = list(self._recent), dict[str, Exception]()
        since = min(at for at, _ in recent) - _SLACK_SECONDS
        plan = self._in_force()
        cache = program_of(plan).cache
        with self._lock:
            for path in cache.files(plan.cache, since):
                try:
                    _drop_if_meant(cache, path, recent)
                except Exception as error:  # noqa: BLE001  one file that is none of the cache's does not save the others
                    wrong[str(path)] = error
        return wrong


def _no_cache(plan: Plan) -> str:
    """Why the site has no cache, as a clause; empty if it has one."""
    if plan.cache:
        return ""
    name = plan.gateway.name
    of_no_site = gateway_named(name).remedies.get(Ability.CACHE)
    return of_no_site or f"cache.size is 0B, or this {name} cannot keep answers safely (portico plan says so)"


def _drop_if_meant(cache: CacheFiles, path: Path, recent: list[tuple[float, Meant]]) -> None:
    each = cache.read(path)
    if each and any(each.began < at and is_meant(each) for at, is_meant in recent):
        cache.drop(each)
