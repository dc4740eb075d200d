"""`portico scale`: more or fewer workers at once, until the next release."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from portico.app_servers.kind import Feature
from portico.errors import PorticoError, Problem
from portico.place import cgroup, memory
from portico.protocol.answers import Scaled
from portico.run.background import in_background
from portico.run.processes import proc
from portico.run.running import Running

MOST = 512
_LOOK_SECONDS = 0.02
_FOLLOW_SECONDS = 0.25
"""The arbiter reacts to a signal within milliseconds; a busy worker leaves later."""
_ARRIVE_SECONDS = 2.0


class Scale:
    def __init__(self, running: Running) -> None:
        self._running = running
        self._wanted: dict[int, int] = {}

    def workers(self, number: int) -> int:
        """How many workers that release should have: its server starts with the configured number."""
        return self._wanted.get(self._running.pids().get(number, 0), self._running.plans[number].workers)

    def changed(self, number: int) -> int:
        """The scaled number of workers; 0 if the release has the configured number."""
        plan = self._running.plans.get(number)
        return 0 if plan is None or self.workers(number) == plan.workers else self.workers(number)

    async def to(self, number: int, count: str) -> Scaled:
        """Change the workers of that release, and return their number. Raises PorticoError if that fails."""
        server, wanted = self._server(number), _number(count)
        load = await in_background(lambda: _load(server))
        if problem := impossible(wanted, load):
            raise PorticoError(problem)
        before, self._wanted[server] = self.workers(number), wanted
        order = signal.SIGTTIN if wanted > before else signal.SIGTTOU
        for _ in range(abs(wanted - before)):
            # One at a time: the kernel merges two pending signals of one kind.
            had = _count(server)
            os.kill(server, order)
            await _until(lambda: _count(server) != had, _FOLLOW_SECONDS)  # noqa: B023  awaited in this very turn
        await _until(lambda: _count(server) == wanted, _ARRIVE_SECONDS)
        leaving = max(0, _count(server) - wanted)
        configured = self._running.plans[number].workers
        return Scaled(wanted, before, leaving, configured, load.each, load.cpus)

    def _server(self, number: int) -> int:
        plan, pids = self._running.plans.get(number), self._running.pids()
        if plan is None or not plan.has_app or number not in pids:
            raise PorticoError(Problem("", "no app is running here", "portico status shows what is"))
        if Feature.SCALE not in plan.app_server.features:
            what = f"{plan.server.name} cannot change the number of its workers while it runs"
            raise PorticoError(Problem("", what, "set workers.count in portico.toml, then portico reload"))
        return pids[number]


class Load(NamedTuple):
    """The input of a scale: workers now, memory of one (bytes), free memory of the machine (bytes), and CPUs."""

    workers: int
    each: int
    free: int
    cpus: float


def impossible(wanted: int, load: Load) -> Problem | None:
    """Why that many workers are impossible, by the measured memory of the running ones. Pure."""
    more = wanted - load.workers
    if more <= 0 or not load.each or more * load.each <= load.free:
        return None
    fit = load.workers + load.free // load.each
    what = (
        f"{wanted} workers do not fit: a worker has {load.each >> 20} MiB, {more} more need "
        f"{more * load.each >> 20} MiB, and {load.free >> 20} MiB of memory are free"
    )
    return Problem("", what, f"at most {fit} fit; {load.cpus:g} CPUs are here")


def _load(server: int) -> Load:
    workers = [proc.memory(entry.pid) for entry in proc.children_of({server})]
    each = sum(workers) // len(workers) if workers else 0
    return Load(len(workers), each, memory.free(), cgroup.cpus().value)


def _number(count: str) -> int:
    if not count.isdecimal() or not 1 <= int(count) <= MOST:
        raise PorticoError(Problem("", f"{count!r} is not a number of workers", f"expected 1 to {MOST}"))
    return int(count)


def _count(server: int) -> int:
    return len(proc.children_of({server}))


async def _until(is_so: Callable[[], bool], seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not is_so() and asyncio.get_running_loop().time() < ends:
        await asyncio.sleep(_LOOK_SECONDS)
