"""Slow requests, as the workers report them (`link.slow`)."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from portico.decoding import decoded
from portico.place import untrusted
from portico.plan.paths import slow
from portico.protocol.status import SlowRequest

_STALE_SECONDS = 10.0
"""Workers write once a second: an older file belongs to a worker that was killed, or cannot write."""


_LONGEST, _MOST_BYTES, _MOST_FILES = 1 << 20, 1 << 23, 10_000
"""The bytes of one file and of all, and the number: the app's user writes there."""


def requests(runtime: str) -> tuple[SlowRequest, ...]:
    """The slow requests of every worker, the oldest first."""
    found, size = list[SlowRequest](), 0
    for path, status in untrusted.files(slow(runtime), _MOST_FILES):
        with suppress(OSError, ValueError):  # it has just ended, or the app's user wrote something else there
            if path.suffix != ".json":
                continue
            if time.time() - status.st_mtime >= _STALE_SECONDS or not Path("/proc", path.stem).exists():
                path.unlink(missing_ok=True)
            elif size < _MOST_BYTES:
                text = untrusted.content(path, _LONGEST)
                size += len(text)
                found += decoded(text, list[SlowRequest])
    found.sort(key=lambda one: -one.age_seconds)
    return tuple(found)
