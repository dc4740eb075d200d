"""Shows that a start takes time: a counter in a terminal, an occasional line elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from portico.cli import output
from portico.cli.screen import Screen
from portico.ticks import WELL, Rounds, tick

if TYPE_CHECKING:
    from portico.run.watchers.runner import Watcher

_SOON_SECONDS = 2.0
"""A start that takes less time needs no message."""
_SELDOM_SECONDS = 10.0
_LOOK_SECONDS = 1.0


class Waiting:
    """Called repeatedly with the seconds that the start has taken so far."""

    def __init__(self, screen: Screen, what: str) -> None:
        self.what, self._screen = what, screen
        self._next, self._is_over = _SELDOM_SECONDS, False

    def __call__(self, seconds: float) -> None:
        if self._screen.is_terminal:
            self._screen.progress(output.faint(self._words(seconds)) if seconds >= _SOON_SECONDS else "")
        elif seconds >= self._next:
            self._next += _SELDOM_SECONDS
            self._screen.say(self._words(seconds))

    def _words(self, seconds: float) -> str:
        return f"still {self.what}, {seconds:.0f} s"

    def watcher(self, began: float) -> Watcher:
        """Counts while the run starts, from this number of seconds."""
        from portico.run.watchers.runner import Watcher

        return Watcher("the start", lambda: self._count(began))

    async def _count(self, began: float) -> Rounds:
        since = time.monotonic() - began
        while not self._is_over:
            self(time.monotonic() - since)
            yield WELL
            await tick(_LOOK_SECONDS)

    def over(self) -> None:
        """Ends the counter: the site serves, or the run ends."""
        self._is_over = True
        if self._screen.is_terminal:
            self._screen.progress("")
