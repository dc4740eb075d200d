"""Orphans of a killed Portico: recorded while it runs, ended by the next start."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from portico import atomic
from portico.errors import PorticoError, Problem
from portico.place import untrusted
from portico.run.processes import proc
from portico.run.processes.child import Child

NAME = "children.json"
PATIENCE_SECONDS = 0.5
"""A process that was told to exit when Portico died (PR_SET_PDEATHSIG) has had the time of this start so far,
and gets this much more; the new start must be serving within two seconds, even on busy cores."""
KILLED_SECONDS = 5.0
"""The kernel needs a moment to end killed processes; on busy cores it needs seconds."""
_LAST_SIGNAL = 64


class Left(Struct, frozen=True):
    """A process group: its leader's pid, its start in ticks of `boot`, and its signal to drain."""

    pid: Annotated[int, Meta(gt=1, le=1 << 22)]
    started: int
    drain: Annotated[int, Meta(gt=0, le=_LAST_SIGNAL)]
    boot: str


def record(runtime: str, children: Iterable[Child]) -> None:
    """Record the groups that must be gone before another Portico may start here."""
    boot = proc.boot_id()
    left = [Left(child.pid, child.started, int(child.signals.drain), boot) for child in children]
    with suppress(FileNotFoundError):  # the runtime directory is gone, and this run is ending because of it
        atomic.write(Path(runtime) / NAME, json.dumps([asdict(one) for one in left]).encode())


def forget(runtime: str) -> None:
    (Path(runtime) / NAME).unlink(missing_ok=True)


def end(runtime: str) -> None:
    """End the orphans of an earlier Portico. Only processes that are provably its own are touched.

    Raises PorticoError if one of them cannot be ended.
    """
    ours = _read(Path(runtime) / NAME)
    # The kernel signalled the leaders when Portico died; but not those that gained privileges by file capabilities,
    # and not the members of a group whose leader was killed as well.
    for left in ours:
        _signal(_leader_or_all(left), left.drain)
    _wait(ours, PATIENCE_SECONDS)
    _signal(_all_alive(ours), signal.SIGKILL)
    _wait(ours, KILLED_SECONDS)
    if stuck := _all_alive(ours):
        raise PorticoError(*map(_unkillable, stuck))
    forget(runtime)


def _wait(ours: list[Left], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _all_alive(ours) and time.monotonic() < deadline:
        time.sleep(0.02)


def _read(path: Path) -> list[Left]:
    try:
        return untrusted.own(path, list[Left])
    except (OSError, ValueError):
        return []  # cut short by a full disk, or another user's; the port check names processes that are left


def _all_alive(ours: list[Left]) -> list[int]:
    return [pid for left in ours for pid in _alive(left)]


def _leader_or_all(left: Left) -> list[int]:
    alive = _alive(left)
    return [left.pid] if left.pid in alive else alive


def _alive(left: Left) -> list[int]:
    if left.boot != proc.boot_id():
        return []
    leader = proc.entry(left.pid)
    if leader is not None and leader.started != left.started:
        return []  # another process has the number now, so the group is gone
    return [entry.pid for entry in proc.group_of(left.pid) if entry.started >= left.started]


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # gone, or reported below


def _unkillable(pid: int) -> Problem:
    what = f"a process of an earlier run is still there: pid {pid}, {proc.command(pid)}"
    return Problem("", what, f"end it as its user or as root: kill -9 {pid}")
