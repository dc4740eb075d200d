"""A gateway's workers: for a tenth of a second after a reload, the old ones still accept new connections."""

from __future__ import annotations

import asyncio

from portico.protocol import notices
from portico.run.gateway.program import Program
from portico.run.processes import proc

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 10.0
"""nginx reads a thousand sites in 7 s; then the release counts as serving, though a few clients get the old one."""
SERVES = (notices.Switched, notices.CanaryServes, notices.RolledBack, notices.TookOver)
"""The notice that the gateway has the files of another release: a listener may try what is new."""


def workers(master: int) -> frozenset[int]:
    """The pids of that master's workers."""
    return frozenset(entry.pid for entry in proc.group_of(master)) - {master}


def accepting(program: Program, master: int | None) -> frozenset[int]:
    """Those of them that accept new connections."""
    return frozenset() if master is None else frozenset(filter(program.accepts, workers(master)))


def leaving(program: Program, master: int) -> frozenset[int]:
    """Those of them that only finish their requests."""
    return frozenset(filter(program.is_leaving, workers(master)))


async def until_replaced(program: Program, before: frozenset[int]) -> None:
    """Wait until none of these workers accepts new connections."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while any(map(program.accepts, before)) and loop.time() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
