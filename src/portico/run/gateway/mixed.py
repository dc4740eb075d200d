"""The file that exists while two releases answer: nginx refuses nothing by the routes of one of them (`[guard]`)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from portico.plan.paths import mixed

SETTLE_SECONDS = 10.0
"""After a switch: until then nginx's workers have read the files of the release that serves, where those are others."""


class Mixed:
    """The flag of one site."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._end: asyncio.TimerHandle | None = None

    def raise_for(self, runtime: str) -> None:
        """Before requests go to another release, or to two."""
        if self._end:
            self._end.cancel()
        Path(mixed(runtime)).touch(mode=0o644)

    def lower_soon(self, runtime: str) -> None:
        """Requests go to one release from now on."""
        self._end = self._loop.call_later(SETTLE_SECONDS, self.lower, runtime)

    def lower(self, runtime: str) -> None:
        """At a start, when what was left there means nothing, and at the end."""
        if self._end:
            self._end.cancel()
        Path(mixed(runtime)).unlink(missing_ok=True)
