"""How many requests may wait at a release's socket: a burst, or what is answered in time.

While the workers keep up, the queue takes a burst. If no thread of a worker has been idle for a second, the site is
overloaded: from then on the queue is limited to what the workers answer in the allowed waiting time, and the kernel
refuses further connections at once (EAGAIN). nginx answers those with 503 without a worker. Recent throughput
counts, too: an app that hangs for a moment refuses nothing. Requests pay nothing for it: the workers, which share
the socket, call listen(2) once a second; the kernel applies the new limit and drops nothing.

The patience of clients is unknown, so the waiting time follows their behaviour: it shrinks, down to a tenth, while
many leave without an answer, and grows again while few do. Work for a client that has left is wasted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

VARIABLE: Final = "PORTICO_QUEUE"
"""`SECONDS REQUESTS`: how long requests may wait in an overload, and how many may wait otherwise."""
_LEAST: Final = 8
"""A browser sends so many requests at once."""
_LEAST_SHARE: Final = 0.1
"""The smallest share of the time, for impatient clients."""
_MANY: Final = 0.05
"""The time shrinks if so large a share of the clients in the queue have left."""
_SHORTER: Final = 0.5
_LONGER: Final = 1.005
"""How the time changes in a second."""
_NEW: Final = 0.5
"""The weight of the last second in the rate, against those before it."""


class Bounds(NamedTuple):
    """The plan's limits of the queue."""

    seconds: float
    burst: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """None if the variable is missing; RuntimeError, one line, if it is invalid."""
        text = environment.get(VARIABLE)
        if not text:
            return None
        try:
            seconds, burst = text.split()
            return cls(float(seconds), int(burst))
        except ValueError:
            raise RuntimeError(f"{VARIABLE} is {text!r}, expected SECONDS REQUESTS") from None


class Backlog:
    """The limit of the queue at `listener`, which `workers` workers serve with `threads` threads each, as this one
    has them.
    """

    def __init__(
        self, listener: socket.socket, bounds: Bounds, threads: Callable[[], int], workers: Callable[[], int]
    ) -> None:
        self._listener, self._bounds = listener, bounds
        self._threads, self._workers = threads, workers
        self._rate = 0.0
        self._is_busy = False
        self._before: tuple[float, int, int] | None = None
        self.seconds = bounds.seconds
        """How long requests may wait now."""

    def look(self, now: float, executed: int, left: int, *, was_idle: bool) -> None:
        """Called once a second, with how many requests this worker has executed so far, and how many clients left."""
        before, self._before = self._before, (now, executed, left)
        was_busy, self._is_busy = self._is_busy, not was_idle and before is not None
        if before is not None and now > before[0]:
            rate = (executed - before[1]) / (now - before[0])
            mean = _NEW * rate + (1 - _NEW) * self._rate
            # A worker with an idle thread could have answered more: its count is a lower bound.
            self._rate = mean if was_busy and self._is_busy else max(rate, mean)
        if before is None or not self._is_busy:
            self.seconds = self._bounds.seconds
            self._set(self._bounds.burst)
            return
        self._follow(executed - before[1], left - before[2])
        workers = self._workers()
        self._set(max(int(self._rate * workers * self.seconds), self._threads() * workers, _LEAST))

    def _follow(self, executed: int, left: int) -> None:
        """Follows the clients' patience. One that leaves while its request is executed counts as both."""
        most = self._bounds.seconds
        if left > _MANY * max(executed, left):
            self.seconds = max(self.seconds * _SHORTER, most * _LEAST_SHARE)
        else:
            self.seconds = min(self.seconds * _LONGER, most)

    def _set(self, requests: int) -> None:
        """Set each time: another worker may have set another value, and ended."""
        with suppress(OSError):  # it is being closed
            self._listener.listen(min(requests, self._bounds.burst))


def siblings(otherwise: int) -> int:
    """The number of the arbiter's workers: `portico scale` changes it at run time."""
    parent = os.getppid()
    try:
        found = len(Path(f"/proc/{parent}/task/{parent}/children").read_bytes().split())
    except OSError:
        return otherwise  # a kernel without CONFIG_PROC_CHILDREN
    return found or otherwise
