"""Limits a gateway's old workers: after a reload they stay until their last transfer has ended.

A reload starts new workers; the old ones accept no new connections and finish their requests. That may be a
download or a WebSocket of hours. If they are too many, or use too much memory, the oldest is ended.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from portico.plan.model import Plan
from portico.plan.subjects import OldWorkers
from portico.protocol import notices
from portico.run.background import in_background
from portico.run.gateway import goodbye
from portico.run.gateway.connections import close_clients
from portico.run.gateway.program import Program
from portico.run.gateway.workers import leaving
from portico.run.processes import proc
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS = 3.0
LEAVE_SECONDS = 5.0
"""A worker without connections has nothing left to do; after this time it must exit at once."""


class Old(NamedTuple):
    """One old worker. `started` is in clock ticks since boot, `memory` in bytes."""

    pid: int
    started: int
    memory: int


def surplus(old: Sequence[Old], bound: OldWorkers) -> list[Old]:
    """The workers to end, the oldest first; the rest stays within the limits. Pure."""
    kept = sorted(old, key=lambda one: one.started)
    ended: list[Old] = []
    while kept and (len(kept) > bound.most or sum(one.memory for one in kept) > bound.memory):
        ended.append(kept.pop(0))
    return ended


async def watch(
    program: Program,
    plan: Callable[[], Plan],
    master: Callable[[], int | None],
    say: Callable[[notices.Notice], None],
) -> Rounds:
    """Keep the number of old workers, and their memory, within the plan's limits."""
    while True:
        if pid := master():
            old = await in_background(lambda: _old(program, pid))
            for one in surplus(old, plan().old_workers):
                say(notices.OldWorkerEnded(one.pid, len(old), sum(each.memory for each in old)))
                await _end(program, one.pid, plan())
        yield WELL
        await tick(LOOK_SECONDS)


def _old(program: Program, master: int) -> list[Old]:
    entries = filter(None, map(proc.entry, leaving(program, master)))
    return [Old(one.pid, one.started, proc.memory(one.pid)) for one in entries]


async def _end(program: Program, pid: int, plan: Plan) -> None:
    entry = proc.entry(pid)
    if entry is None:
        return
    with goodbye.announced((plan.runtime, *plan.sites), pid):
        await _until_gone(entry, goodbye.HEARD_SECONDS)
    ports = {address.port for address in plan.listens}
    if await in_background(lambda: close_clients(pid, ports)):
        await _until_gone(entry, LEAVE_SECONDS)
    if _is_there(entry):
        os.kill(pid, program.ends_worker)


async def _until_gone(entry: proc.Entry, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while _is_there(entry) and loop.time() < deadline:
        await asyncio.sleep(0.05)


def _is_there(entry: proc.Entry) -> bool:
    found = proc.entry(entry.pid)
    return found is not None and found.is_alive and found.started == entry.started
