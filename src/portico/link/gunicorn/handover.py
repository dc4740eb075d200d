"""How a worker that is due for replacement waits for its successor.

They share two bytes with Gunicorn's arbiter, which forked the worker. The worker writes the first: its state. The
arbiter (`link.arbiter`) writes the second: the permission to leave. SIGWINCH tells the other side to look.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from contextlib import suppress
from typing import Final

BOOTING: Final = 0
SERVING: Final = 1
DUE: Final = 2
"""It serves, and asks for a successor."""
FAILED: Final = 3
"""It could not load the app, and ends."""


HELD: Final = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGWINCH, signal.SIGUSR1)
"""The arbiter's signals to a worker, blocked around the fork: the handlers that a child inherits do nothing for it."""


def take_signals() -> None:
    """Called by a worker that has its handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


class Handover:
    """The handover of one worker. `arbiter` is the process to notify, 0 for none: then a worker leaves when it
    likes.
    """

    arbiter = 0

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 2)
        self.since = time.monotonic()

    @property
    def state(self) -> int:
        return self._shared[0]

    @property
    def has_loaded(self) -> bool:
        return self.state in (SERVING, DUE)

    @property
    def is_due(self) -> bool:
        return self.state == DUE

    @property
    def may_leave(self) -> bool:
        return bool(self._shared[1]) or (self.is_due and not self.arbiter)

    def announce(self, state: int) -> None:
        """Called by the worker: sets its state."""
        if self.state != state:
            self._shared[0] = state
            if self.arbiter:
                _wake(self.arbiter)

    def let_go(self, pid: int = 0) -> None:
        """Called by the arbiter: the worker may leave; `pid` is the process to notify."""
        self._shared[1] = 1
        if pid:
            _wake(pid)

    @property
    def was_let_go(self) -> bool:
        return bool(self._shared[1])


def _wake(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGWINCH)
