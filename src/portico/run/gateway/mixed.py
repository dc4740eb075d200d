"""The flag file while two releases answer: the gateway refuses no request by the routes of only one (`[guard]`)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from portico.plan.paths import mixed

SETTLE_SECONDS = 10.0
"""The delay after a switch: by then the gateway's workers have read the new release's files, if these differ."""


class Mixed:
    """The flag of one site."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._end: asyncio.TimerHandle | None = None

    def raise_for(self, runtime: str) -> None:
        """Set the flag before requests go to another release, or to two."""
        if self._end:
            self._end.cancel()
        Path(mixed(runtime)).touch(mode=0o644)

    def lower_soon(self, runtime: str) -> None:
        """Clear the flag later: requests go to one release from now on."""
        self._end = self._loop.call_later(SETTLE_SECONDS, self.lower, runtime)

    def lower(self, runtime: str) -> None:
        """Remove the flag at a start, where an old one means nothing, and at the end."""
        if self._end:
            self._end.cancel()
        Path(mixed(runtime)).unlink(missing_ok=True)
