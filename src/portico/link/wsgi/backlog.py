"""How many requests may wait at the socket of a release: a burst, or what is answered in time.

While the workers keep up, the queue takes a burst. When no thread of a worker has been idle for a second, more requests
come than are answered: from then on the queue holds what the workers answer in the time that requests may wait, and the
kernel refuses the others at once (EAGAIN). nginx answers those 503 without a worker. What was answered just before
counts, too: an app that hangs for a moment refuses nobody. No request pays for it: the workers, which share the
socket, call listen(2) once a second; the kernel takes the new bound and drops nothing.

Nobody knows how long clients wait before they leave, so the time follows them: it shrinks, down to a tenth, while many
leave without their answer, and grows again while few do. What is executed for somebody who has left is lost.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

VARIABLE: Final = "PORTICO_QUEUE"
"""`SECONDS REQUESTS`: how long requests may wait in an overload, and how many may otherwise."""
_LEAST: Final = 8
"""One browser asks for so many things at once."""
_LEAST_SHARE: Final = 0.1
"""So much of the time is left when clients have no patience."""
_MANY: Final = 0.05
"""Of all that was taken from the queue: when so many of their clients have left, the time shrinks."""
_SHORTER: Final = 0.5
_LONGER: Final = 1.005
"""How the time changes in a second."""
_NEW: Final = 0.5
"""How much the last second counts for the rate, beside those before it."""


class Bounds(NamedTuple):
    """What the plan says of the queue."""

    seconds: float
    burst: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """None where nothing is said; RuntimeError, one line, for what cannot be read."""
        text = environment.get(VARIABLE)
        if not text:
            return None
        try:
            seconds, burst = text.split()
            return cls(float(seconds), int(burst))
        except ValueError:
            raise RuntimeError(f"{VARIABLE} is {text!r}, expected SECONDS REQUESTS") from None


class Backlog:
    """The bound of the queue at `listener`, which this worker and `workers` in all serve with `threads` each."""

    def __init__(
        self, listener: socket.socket, bounds: Bounds, threads: int, workers: Callable[[], int]
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
            # A worker with an idle thread could have answered more: what it did is the least that it can do.
            self._rate = mean if was_busy and self._is_busy else max(rate, mean)
        if before is None or not self._is_busy:
            self.seconds = self._bounds.seconds
            self._set(self._bounds.burst)
            return
        self._follow(executed - before[1], left - before[2])
        workers = self._workers()
        self._set(max(int(self._rate * workers * self.seconds), self._threads * workers, _LEAST))

    def _follow(self, executed: int, left: int) -> None:
        """How long clients wait. One that leaves while its request is executed counts as both."""
        most = self._bounds.seconds
        if left > _MANY * max(executed, left):
            self.seconds = max(self.seconds * _SHORTER, most * _LEAST_SHARE)
        else:
            self.seconds = min(self.seconds * _LONGER, most)

    def _set(self, requests: int) -> None:
        """Each time: another worker may have set something else, and ended."""
        with suppress(OSError):  # it is being closed
            self._listener.listen(min(requests, self._bounds.burst))


def siblings(otherwise: int) -> int:
    """How many workers the arbiter has: `portico scale` changes it while they run."""
    parent = os.getppid()
    try:
        found = len(Path(f"/proc/{parent}/task/{parent}/children").read_bytes().split())
    except OSError:
        return otherwise  # a kernel without CONFIG_PROC_CHILDREN
    return found or otherwise
