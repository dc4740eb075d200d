"""Slow requests in progress: written to a file once a second, for `portico status`.

A worker without any writes nothing. The file is named by the pid and removed when there are none left.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from portico import atomic

VARIABLE: Final = "PORTICO_SLOW"
"""The variable with the directory of the files."""
SLOW_SECONDS: Final = 1.0
"""A request that is older is reported."""
MOST: Final = 20
"""So many are reported by a worker."""
DEEPEST: Final = 40
"""The innermost frames of a stack that are written."""


class SlowRequests:
    """Writes the slow requests of one worker; with a `directory` of None it does nothing."""

    def __init__(self, directory: str | None, pid: int) -> None:
        self._path = Path(directory, f"{pid}.json") if directory else None
        self._has_reported = False

    def report(self, found: Iterable[dict[str, Any]]) -> None:
        """Never raises: a report is not worth a request. `found` is not read if nobody wants a report."""
        if self._path is None:
            return
        with suppress(Exception):  # a full disk, a site that is taken down, or what an app left in a frame
            self._write(self._path, list(found))

    def _write(self, path: Path, found: list[dict[str, Any]]) -> None:
        if found:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            atomic.write(path, json.dumps(found).encode())
        elif self._has_reported:
            path.unlink(missing_ok=True)
        self._has_reported = bool(found)


def frames(stack: Iterable[traceback.FrameSummary]) -> list[dict[str, Any]]:
    """The innermost frames, the innermost last, as `portico.protocol.status.Frame` reads them."""
    return [
        {"file": one.filename, "line": one.lineno, "name": one.name, "text": one.line or ""}
        for one in list(stack)[-DEEPEST:]
    ]
