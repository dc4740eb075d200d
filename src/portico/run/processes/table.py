"""The processes of one running site: started, recorded for the next start after a kill, reaped, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from portico.run.machine.action import StopMode
from portico.run.processes import child as children
from portico.run.processes import orphans, strangers
from portico.run.processes.child import Child

KILLED_SECONDS = 5.0
"""The kernel needs a moment to end killed processes; on busy cores it needs seconds."""


class Processes:
    """`runtime` is the directory of the record; `stop_seconds` is how long orphaned descendants may take."""

    def __init__(self, runtime: str, stop_seconds: Callable[[], float]) -> None:
        self._runtime, self._stop_seconds = runtime, stop_seconds
        self._was_recorded = False
        self._groups: list[tuple[Child, Callable[[Child], None]]] = []
        self._spared = strangers.others()

    def start(self, name: str, argv: tuple[str, ...], ended: Callable[[Child], None], **how: Any) -> Child:
        """Start a program; `ended` is called at its end, unless everything is being killed. Raises OSError."""
        started = children.start(name, argv, **how)
        self._groups.append((started, ended))
        try:
            self._record()
        except OSError:
            # The kernel tells it to exit when Portico is killed, recorded or not. So the first start on a full
            # disk is refused, but a serving site gets its server again.
            if not self._was_recorded:
                self._groups[-1] = (started, _nobody)
                started.end(StopMode.KILL)
                raise
        return started

    def adopt(self, started: Child, ended: Callable[[Child], None]) -> None:
        """Adopt a program that was started before; `ended` as in `start`."""
        self._groups = [(group, told) for group, told in self._groups if group is not started]
        self._groups.append((started, ended))
        with suppress(OSError):  # the process that started it has recorded it
            self._record()

    def reap(self) -> None:
        """Reap exited processes, call their `ended`, and end their descendants."""
        for group, ended in list(self._groups):
            if group.reap():
                self._see_off(group)
                ended(group)
        alive = [(group, ended) for group, ended in self._groups if not group.group_is_gone]
        if len(alive) < len(self._groups):
            self._groups = alive
            with suppress(OSError):  # on a full disk; a record with too many processes does no harm
                self._record()

    def _see_off(self, group: Child) -> None:
        if not group.group_is_gone:
            group.end(StopMode.DRAIN)
            asyncio.get_running_loop().call_later(self._stop_seconds(), group.end, StopMode.KILL)

    async def kill_all(self) -> None:
        """End the remaining processes without calling their `ended`, and descendants with a session of their own."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + KILLED_SECONDS
        self._groups = [(group, _nobody) for group, _ in self._groups]
        while True:
            self.reap()
            if not self._groups or loop.time() >= deadline:
                break
            for group, _ in self._groups:
                group.end(StopMode.KILL)
            await asyncio.sleep(0.005)
        await strangers.end(self._spared)
        if not self._groups:
            orphans.forget(self._runtime)

    def _record(self) -> None:
        orphans.record(self._runtime, [group for group, _ in self._groups])
        self._was_recorded = True


def _nobody(_: Child) -> None:
    """The handler for an expected end."""
