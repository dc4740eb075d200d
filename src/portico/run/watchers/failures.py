"""What failed beside the serving and is tried again. Pure: what happened and when gives the next.

A name is that of a watcher, or of one of the things that it looks at: "logs" or "logs /state/access.log".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from portico import backoff

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
STEADY_SECONDS = 5.0
"""What fails and works in turn has not recovered: it is well when it works this long after its last failure."""


@dataclass(frozen=True)
class Failure:
    """Times are seconds since 1970; `due` is the next try, None where the next look of its watcher is that."""

    error: str
    since: float
    at: float
    count: int = 1
    due: float | None = None
    is_well: bool = False
    """It has worked since."""


Failures = Mapping[str, Failure]


def failed(known: Failures, name: str, error: str, now: float) -> Failures:
    """A watcher has ended by an error; it is started again when it is due."""
    fresh = _next(known, name, error, now)
    pause = backoff.pause(fresh.count, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    return {**known, name: replace(fresh, due=now + pause)}


def looked(known: Failures, watcher: str, wrong: Mapping[str, str], now: float) -> Failures:
    """A watcher has looked at all it has to; `wrong` are the things that failed, with the error."""
    names = {f"{watcher} {item}": error for item, error in wrong.items()}
    fresh = {name: _next(known, name, error, now) for name, error in names.items()}
    mended = {
        name: replace(one, is_well=True)
        for name, one in known.items()
        if (name == watcher or name.startswith(f"{watcher} ")) and name not in names
    }
    return swept({**known, **mended, **fresh}, now)


def swept(known: Failures, now: float) -> Failures:
    """Without what works again."""
    return {name: one for name, one in known.items() if not one.is_well or now - one.at < STEADY_SECONDS}


def _next(known: Failures, name: str, error: str, now: float) -> Failure:
    before = known.get(name, Failure(error, now, now, 0))
    return Failure(error, before.since, now, before.count + 1)
