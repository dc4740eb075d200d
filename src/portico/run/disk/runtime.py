"""Detects that the runtime directory is gone: then the gateway finds no socket, and no command finds the site.

A session's directory (`/run/user/UID`) is removed at the end of the session; `/tmp` is cleaned by age. The sockets
of a running site cannot be bound again, so the run ends, with a message and an exit code that makes a service
manager restart it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from portico.errors import Problem
from portico.plan.model import Plan
from portico.plan.paths import control
from portico.run.disk import lock
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS = 3.0


async def watch(plan: Plan, tell: Callable[[Event], None]) -> Rounds:
    """Look every few seconds; send Lost to `tell` once."""
    begun = _identity(plan.runtime)
    while True:
        await tick(LOOK_SECONDS)
        if missing := _missing(plan, begun):
            what = (
                f"{missing} was removed while the site ran: {plan.gateway.name} cannot reach the app, no command "
                "finds it"
            )
            hint = "start it again; PORTICO_RUNTIME_DIR names a directory that nothing cleans"
            tell(was.Lost((Problem(plan.runtime, what, hint),)))
            return
        yield WELL


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  every three seconds
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _missing(plan: Plan, begun: tuple[int, int] | None) -> str:
    """The missing part of the runtime directory, empty if there is none."""
    if _identity(plan.runtime) != begun:
        return "the runtime directory"
    needed = (str(Path(plan.runtime) / lock.NAME), control(plan.runtime))
    return next((Path(path).name for path in needed if not os.path.lexists(path)), "")
