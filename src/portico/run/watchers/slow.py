"""The requests that run for long, as the workers tell of them (`link.slow`)."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from portico.decoding import Count, Pid, Seconds, decoded
from portico.place import untrusted
from portico.plan.paths import slow

_STALE_SECONDS = 10.0
"""Workers write once a second: an older file is one of a worker that was killed, or that cannot write."""


_LONGEST, _MOST_BYTES, _MOST_FILES = 1 << 20, 1 << 23, 10_000
"""Bytes of one file and of all, and how many: the app's user writes there."""


class _Frame(msgspec.Struct):
    file: str
    line: Count | None
    name: str
    text: str


class _Slow(msgspec.Struct):
    """As `link.slow` writes it."""

    method: str
    path: str
    endpoint: str
    id: str
    age_seconds: Seconds
    silent_seconds: Seconds
    pid: Pid
    thread: Count
    stack: list[_Frame]


def requests(runtime: str) -> list[dict[str, Any]]:
    """Of every worker, the oldest request first."""
    found, size = list[_Slow](), 0
    for path, status in untrusted.files(slow(runtime), _MOST_FILES):
        with suppress(OSError, ValueError):  # it has just ended, or the app's user wrote something else there
            if path.suffix != ".json":
                continue
            if time.time() - status.st_mtime >= _STALE_SECONDS or not Path("/proc", path.stem).exists():
                path.unlink(missing_ok=True)
            elif size < _MOST_BYTES:
                text = untrusted.content(path, _LONGEST)
                size += len(text)
                found += decoded(text, list[_Slow])
    found.sort(key=lambda one: -one.age_seconds)
    return [msgspec.to_builtins(one) for one in found]
