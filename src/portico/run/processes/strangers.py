"""Strangers: children that Portico did not start, but adopted (`prctl.adopt_orphans`) when their parent exited.

A program becomes one that forks, calls setsid and forks again, as daemons do: it is in the group of no child of ours.
They are told from our own children by their session: ours are all in our session, except those that `subprocess`
starts with `start_new_session`, and these lead theirs. As they are our children, their pids are theirs until we reap
them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from portico.run.processes import prctl, proc

LEAVES_SECONDS = 2.0
"""How long they may take to end after SIGTERM."""
KILLED_SECONDS = 5.0
"""The kernel needs a moment to end killed processes; on busy cores it needs seconds."""
_LOOK_SECONDS = 0.05

Known = frozenset[tuple[int, int]]
"""Processes by their pid and their start."""


def reap(seen: Known) -> Known:
    """Reap exited strangers. One that may be our own is reaped when it is in `seen`, the result of a look before:
    its owner has had its time. Returns those for the next look.
    """
    session = os.getsid(0)
    left = set[tuple[int, int]]()
    for one in proc.own_children():
        if one.is_alive:
            continue
        if one.session not in (session, one.pid) or (one.pid, one.started) in seen:
            _collect(one.pid)
        else:
            left.add((one.pid, one.started))
    return frozenset(left)


def others() -> Known:
    """Children in another session that are there now: the program that became Portico has started them."""
    return frozenset((one.pid, one.started) for one in _in_other_sessions())


async def end(spared: Known) -> None:
    """End those in another session, and what they have started: SIGTERM, then SIGKILL.

    The look is tried again while no descriptor is free for it; then the stop goes on without it.
    """
    if not prctl.adopts_orphans() and os.getpid() != 1:
        return
    now = asyncio.get_running_loop().time
    kills_at, told = now() + LEAVES_SECONDS, set[int]()
    while now() < kills_at + KILLED_SECONDS:
        try:
            found = [one for one in _in_other_sessions() if (one.pid, one.started) not in spared]
        except OSError:
            if now() >= kills_at:
                break
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        for one in found:
            if not one.is_alive:
                _collect(one.pid)
            elif now() >= kills_at:
                _signal(one.pid, signal.SIGKILL)
            elif one.pid not in told:
                told.add(one.pid)
                _signal(one.pid, signal.SIGTERM)
        if not found:
            break
        await asyncio.sleep(_LOOK_SECONDS)


def _in_other_sessions() -> list[proc.Entry]:
    session = os.getsid(0)
    return [one for one in proc.own_children() if one.session != session]


def _collect(pid: int) -> None:
    with suppress(ChildProcessError):  # its owner was faster
        os.waitpid(pid, os.WNOHANG)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # EPERM: it has changed its user
        os.kill(pid, number)
