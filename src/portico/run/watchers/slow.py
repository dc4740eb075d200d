"""The requests that run for long, as the workers tell of them (`link.slow`)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from portico.place import foreign
from portico.plan.paths import slow

_STALE_SECONDS = 10.0
"""Workers write once a second: an older file is one of a worker that was killed, or that cannot write."""


class _Frame(msgspec.Struct):
    file: str
    line: int | None
    name: str
    text: str


class _Slow(msgspec.Struct):
    """As `link.slow` writes it."""

    method: str
    path: str
    endpoint: str
    id: str
    age_seconds: float
    silent_seconds: float
    pid: int
    thread: int
    stack: list[_Frame]


def requests(runtime: str) -> list[dict[str, Any]]:
    """Of every worker, the oldest request first."""
    found: list[dict[str, Any]] = []
    for path in Path(slow(runtime)).glob("*.json"):
        try:
            if time.time() - path.stat().st_mtime < _STALE_SECONDS and Path("/proc", path.stem).exists():
                found += msgspec.to_builtins(msgspec.json.decode(foreign.text(path), type=list[_Slow]))
            else:
                path.unlink(missing_ok=True)
        except (OSError, ValueError, msgspec.MsgspecError):
            continue  # it has just ended, or the app's user wrote something else there
    return sorted(found, key=lambda one: -one["age_seconds"])
