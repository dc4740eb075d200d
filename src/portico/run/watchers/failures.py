"""Failures of background tasks, which are retried. Pure: an event and its time give the next state.

A name is that of a watcher, or of one of its objects: "logs" or "logs /state/access.log".
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from portico import backoff

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
STEADY_SECONDS = 5.0
"""A task that alternates has not recovered: it must work for this long after its last failure."""


class Failure(Struct, frozen=True):
    """Times are seconds since 1970; `due` is the next try, None if that is the next round of its watcher."""

    error: str
    since: float
    at: float
    count: int = 1
    due: float | None = None
    is_well: bool = False
    """It has worked since the last failure."""


Failures = Mapping[str, Failure]


def failed(known: Failures, name: str, error: str, now: float) -> Failures:
    """An error ended a watcher; it restarts when it is due."""
    fresh = _next(known, name, error, now)
    pause = backoff.pause(fresh.count, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    return {**known, name: replace(fresh, due=now + pause)}


def looked(known: Failures, watcher: str, wrong: Mapping[str, str], now: float) -> Failures:
    """A watcher has finished a round; `wrong` are the failed objects, with the error."""
    names = {f"{watcher} {item}": error for item, error in wrong.items()}
    fresh = {name: _next(known, name, error, now) for name, error in names.items()}
    mended = {
        name: replace(one, is_well=True)
        for name, one in known.items()
        if (name == watcher or name.startswith(f"{watcher} ")) and name not in names
    }
    return swept({**known, **mended, **fresh}, now)


def swept(known: Failures, now: float) -> Failures:
    """Remove what works again."""
    return {name: one for name, one in known.items() if not one.is_well or now - one.at < STEADY_SECONDS}


def _next(known: Failures, name: str, error: str, now: float) -> Failure:
    before = known.get(name, Failure(error, now, now, 0))
    return Failure(error, before.since, now, before.count + 1)
