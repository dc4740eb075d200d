"""`--dev`: sees that a source has changed, and brings it to the clients.

New workers of the same app server need only the import of the app. Meanwhile the site is planned again: another plan
(a route with settings, a static folder, portico.toml, .env) is a release of its own, as with `portico reload`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from portico.errors import ImportFailedError, PorticoError
from portico.plan.model import Plan
from portico.protocol import notices
from portico.run.background import in_background
from portico.run.disk import sources
from portico.run.disk.sources import Look
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.running import SayNews
from portico.ticks import WELL, Rounds

_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 30.0
_SHARE = 25
"""Of the time at most so little is spent with looking."""
_SETTLED_SECONDS = 0.04
"""Many files change at once (git checkout, a formatter): they have, when nothing changes for so long."""
_SETTLES_SECONDS = 2.0


class Renewed(Protocol):
    """What this needs of a running site (`effects.Effects`)."""

    @property
    def in_force(self) -> Plan: ...
    @property
    def plans(self) -> Mapping[int, Plan]: ...
    def renew_workers(self) -> None: ...
    def is_outdated(self) -> bool: ...


class Changes:
    """`tell` takes a request for another release."""

    def __init__(self, site: Renewed, tell: Callable[[Event], None], say: SayNews) -> None:
        self._site, self._tell, self._say = site, tell, say
        self._planning: asyncio.Task[None] | None = None
        self._is_due = False

    async def watch(self) -> Rounds:
        """One look per round."""
        seen, pause = await self._look(), _PAUSE_SECONDS
        if not seen.is_whole:
            self._say(notices.NotAllWatched(sources.MOST_ENTRIES))
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            now = await self._look()
            pause = min(max(_PAUSE_SECONDS, _SHARE * (time.monotonic() - began)), _LONGEST_PAUSE_SECONDS)
            if sources.changed(seen, now):
                now = await self._settled(now)
                if changed := sources.changed(seen, now):
                    self._obey(changed)
            seen = now
            yield WELL

    async def _settled(self, seen: Look) -> Look:
        """The files once nothing changes any more, or soon if that never happens."""
        ends = time.monotonic() + _SETTLES_SECONDS
        while True:
            await asyncio.sleep(_SETTLED_SECONDS)
            now = await self._look()
            if not sources.changed(seen, now) or time.monotonic() > ends:
                return now
            seen = now

    async def _look(self) -> Look:
        watched = self._site.in_force.development
        if watched is None:
            return Look({})
        return await in_background(
            partial(sources.look, watched.directories, watched.without, watched.settings)
        )

    def _obey(self, changed: set[str]) -> None:
        plan = self._site.in_force
        settings = set(plan.development.settings if plan.development else ())
        code = {path for path in changed if sources.is_code(path)}
        names = tuple(sorted(_short(path, plan) for path in changed))
        self._say(notices.Changed(names))
        for path in code:
            sources.forget_compiled(path)
        if changed - settings:
            self._site.renew_workers()
        if changed & settings or (code and plan.background):
            self._tell(was.ReloadAsked())  # to ask first whether the plan is another would take as long again
        elif code:
            self._plan_again()

    def _plan_again(self) -> None:
        """One at a time; a change meanwhile begins another one after it."""
        self._is_due = True
        if self._planning is None or self._planning.done():
            self._planning = asyncio.ensure_future(self._plan())

    async def _plan(self) -> None:
        while self._is_due:
            self._is_due = False
            try:
                if await in_background(self._site.is_outdated):
                    self._tell(was.ReloadAsked())
            except ImportFailedError:
                pass  # the worker shows it
            except PorticoError as error:
                for problem in error.problems:
                    self._say(notices.Trouble(problem))


def _short(path: str, plan: Plan) -> str:
    for directory in plan.development.directories if plan.development else ():
        if Path(path).is_relative_to(directory):
            return str(Path(path).relative_to(directory))
    return path
