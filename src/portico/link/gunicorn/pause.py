"""`portico pause` in a worker: a flag file, checked once a second and at every SIGWINCH.

A file rather than a signal alone: a worker that is forked meanwhile starts paused, and none can miss the end.
SIGWINCH because it is harmless: a process without a handler ignores it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

VARIABLE = "PORTICO_PAUSE"
"""The variable with the directory in which the flag appears."""
FLAG = "on"


class Pausable(Protocol):
    """What accepts connections."""

    @property
    def is_paused(self) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class PauseFlag:
    """`before_resume` is called when a pause ends, before the first request that waited is served."""

    def __init__(self, directory: str | None, before_resume: Callable[[], None] = lambda: None) -> None:
        self._before_resume = before_resume
        self._flag = f"{directory}/{FLAG}" if directory else ""
        self._answer = Path(directory or "", str(os.getpid()))

    def obey(self, pool: Pausable) -> None:
        """Pauses or resumes the pool as the flag says, and confirms a pause with a file named by this pid."""
        is_on = bool(self._flag) and os.path.exists(self._flag)  # noqa: PTH110  once a second: no Path is made
        if is_on and not pool.is_paused:
            pool.pause()
            try:
                self._answer.touch()
            except OSError:
                pass  # the pause is over already, and its directory is gone
        elif not is_on and pool.is_paused:
            self._before_resume()
            pool.resume()
