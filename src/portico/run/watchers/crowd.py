"""Fair shares of an overloaded app: the flag file that makes the gateway count requests per client.

A worker reports an overload (`link.gunicorn.report`). The flag stays while one reports it, and while the gateway
refuses requests beyond a share: without the refusals the queue would fill again at once. It is removed after half a
minute in any case, because refusals alone do not prove that others still wait; an overloaded worker reports it again.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from portico.link.gunicorn.report import CROWD
from portico.log.request import Request, moment
from portico.place import untrusted
from portico.plan.model import Plan
from portico.plan.paths import crowd_flag, workers
from portico.plan.web.refusals import SHARE
from portico.run.background import in_background
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS = 0.5
_SAID_SECONDS = 3.0
"""A worker reports once a second."""
_REFUSED_SECONDS = 10.0
_LONGEST_SECONDS = 30.0
"""The time after a worker's last report: a busy office behind one address is no longer refused once others have
left.
"""
_END = 1 << 16
"""The bytes of the log that are read: a hundred lines or more."""
_MARK = f'"refused_by":"{SHARE}"'.encode()


async def watch(in_force: Callable[[], Plan]) -> Rounds:
    """One look per round."""
    while True:
        await in_background(lambda: _look(in_force()))
        yield WELL
        await tick(_LOOK_SECONDS)


def is_crowded(plan: Plan) -> bool:
    """Whether a worker reports it now."""
    return _seconds_since_said(plan.runtime, time.time()) < _SAID_SECONDS


def _look(plan: Plan) -> None:
    flag, now = Path(crowd_flag(plan.runtime)), time.time()
    said = _seconds_since_said(plan.runtime, now)
    if said < _SAID_SECONDS:
        flag.touch(mode=0o644)
    elif flag.exists() and (said > _LONGEST_SECONDS or not _was_refused(plan.access_log, now)):
        flag.unlink(missing_ok=True)


def _seconds_since_said(runtime: str, now: float) -> float:
    with suppress(OSError):
        return abs(now - os.lstat(f"{workers(runtime)}/{CROWD}").st_mtime)
    return math.inf


def _was_refused(log: str, now: float) -> bool:
    """Whether the gateway has recently refused a request beyond a share."""
    with suppress(OSError), open(log, "rb", opener=untrusted.opened) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _END))
        last = next((line for line in reversed(file.read(_END).splitlines()) if _MARK in line), None)
        request = Request.parse(last) if last else None
        return request is not None and abs(now - moment(request.time)) < _REFUSED_SECONDS
    return False
