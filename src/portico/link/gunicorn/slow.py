"""Slow requests in progress: written to a file once a second, for `portico status`.

A worker without any writes nothing. The file is named by the pid and removed when there are none left.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from portico import atomic
from portico.link.head import endpoint
from portico.link.wsgi.thread_pool import Slot

VARIABLE: Final = "PORTICO_SLOW"
"""The variable with the directory of the files."""
SLOW_SECONDS: Final = 1.0
"""A request that is older is reported."""
_MOST: Final = 20
_DEEPEST: Final = 40
"""The innermost frames of a stack that are written."""


class SlowRequests:
    """Reports slow requests of the `slots`; with a `directory` of None it does nothing."""

    def __init__(self, directory: str | None, pid: int) -> None:
        self._path = Path(directory, f"{pid}.json") if directory else None
        self._has_reported = False

    def report(self, slots: Iterable[Slot]) -> None:
        """Never raises: a report is not worth a request."""
        if self._path is None:
            return
        try:
            self._write(self._path, [one for slot in slots if (one := _row(slot))][:_MOST])
        except OSError:
            pass  # a full disk, or a site that is being taken down

    def _write(self, path: Path, found: list[dict[str, Any]]) -> None:
        if found:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            atomic.write(path, json.dumps(found).encode())
        elif self._has_reported:
            path.unlink(missing_ok=True)
        self._has_reported = bool(found)


def _row(slot: Slot) -> dict[str, Any] | None:
    environ, now = slot.environ, time.monotonic_ns()
    age = (now - slot.began) / 1e9
    if environ is None or age < SLOW_SECONDS or slot.handed_over or slot.stream is not None:
        return None  # a WebSocket and a stream are meant to last
    route = endpoint(environ)
    pid, _, thread = slot.label.partition(" ")
    return {
        "method": str(environ.get("REQUEST_METHOD", "")),
        "path": f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
        "endpoint": "" if route == "-" else route,
        "id": str(environ.get("HTTP_X_REQUEST_ID", "")),
        "age_seconds": round(age, 1),
        "silent_seconds": round((now - slot.moved) / 1e9, 1),
        "pid": int(pid),
        "thread": int(thread or 0),
        "stack": _stack(slot.ident),
    }


def _stack(ident: int) -> list[dict[str, Any]]:
    """The innermost frames, the innermost last."""
    frame = sys._current_frames().get(ident)
    found = traceback.extract_stack(frame)[-_DEEPEST:] if frame else []
    return [
        {"file": one.filename, "line": one.lineno, "name": one.name, "text": one.line or ""} for one in found
    ]
