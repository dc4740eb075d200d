"""The slow requests of a worker's threads, for `portico status`."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from portico.link.head import endpoint
from portico.link.slow import MOST, SLOW_SECONDS, frames
from portico.link.wsgi.thread_pool import Slot


def slow_requests(slots: Iterable[Slot]) -> Iterator[dict[str, Any]]:
    """A row of each, as `portico.protocol.status.SlowRequest` reads it."""
    return islice((row for slot in slots if (row := _row(slot))), MOST)


def _row(slot: Slot) -> dict[str, Any] | None:
    environ, now = slot.environ, time.monotonic_ns()
    age = (now - slot.began) / 1e9
    if environ is None or age < SLOW_SECONDS or slot.handed_over or slot.stream is not None:
        return None  # a WebSocket and a stream are meant to last
    route = endpoint(environ)
    pid, _, thread = slot.label.partition(" ")
    frame = sys._current_frames().get(slot.ident)
    return {
        "method": str(environ.get("REQUEST_METHOD", "")),
        "path": f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
        "endpoint": "" if route == "-" else route,
        "id": str(environ.get("HTTP_X_REQUEST_ID", "")),
        "age_seconds": round(age, 1),
        "silent_seconds": round((now - slot.moved) / 1e9, 1),
        "pid": int(pid),
        "thread": int(thread or 0),
        "stack": frames(traceback.extract_stack(frame)) if frame else [],
    }
