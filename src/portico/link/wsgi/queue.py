"""A request that waited in the queue: is its client still there, and can it still be answered in time?

nginx sends the time at which it passed a request on (PORTICO_MSEC). After a short wait, a request costs this one
comparison. After a longer one the worker checks before it calls the app: nginx closes the connection when the
client leaves, and an answer after nginx's timeout is useless.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from portico.link.wsgi.peer import VARIABLE, Peers
from portico.link.wsgi.request import Connection, Environ

LOOK_SECONDS: Final = 0.05
"""A shorter wait is not worth a system call; $msec is exact to a millisecond."""
SHARE_OF_TIMEOUT: Final = 0.75
"""The share of its time that a request may spend in the queue. The rest is for the app: at the very end of their
time, all requests of an overloaded site would be executed, and all would be too late.
"""
_GRACE_SECONDS: Final = 1.0
"""The worker's deadline is so much later than nginx's; `plan.model.Ladder`."""
_CLOCK_STEP_SECONDS: Final = 0.5
_LEAST_SECONDS_BETWEEN: Final = 10.0
"""The pause between two log lines: an overload drops thousands."""


ASKED: Final = ("PORTICO_MSEC", "PORTICO_DEADLINE", VARIABLE, "REMOTE_ADDR", "SERVER_PROTOCOL")
"""The variables of a request that decide."""
AGAIN_SECONDS: Final = 5
"""Retry-After for a client that was refused in an overload."""


class Skip(Enum):
    """Why a request is not executed."""

    HUNG_UP = "nginx has closed the connection: its client left, or nginx gave up waiting"
    LEFT = "its client has left, and nginx waits for something to cache"
    EXPIRED = "it has waited too long to be answered in time"


class Queue:
    """The worker's view of the queue. `deadline_seconds` is the worker's, infinite for none.

    Waits are counted from the moment this worker began, was resumed, or saw the wall clock jump: requests that
    waited for a paused or absent app are executed.
    """

    def __init__(self, deadline_seconds: float, crowd_seconds: float = math.inf) -> None:
        self._deadline = deadline_seconds
        self.crowd_seconds = crowd_seconds
        """The wait of several clients' requests that counts as an overload."""
        self._clients = set[str]()  # two clients that waited so long, since the last check
        self._peers = Peers()
        self._counts = dict.fromkeys(Skip, 0)  # between two lines; a race may lose one in a thousand
        self.skipped = 0
        """How many requests were not executed."""
        self.left = 0
        """How many clients left before their answer."""
        self._told = -_LEAST_SECONDS_BETWEEN
        self.begin()

    def begin(self) -> None:
        """Counts waits from now on."""
        self._since = time.time()
        self._offset = self._since - time.monotonic()

    def reason_to_skip(self, environ: Environ, connection: Connection) -> Skip | None:
        """Why the app should not be called for a request that waited; None if it should."""
        found, waited = None, self._waited_seconds(environ)
        if waited > self.crowd_seconds and len(self._clients) < 2:
            self._clients.add(environ.get("REMOTE_ADDR", ""))
        if _has_hung_up(connection):
            found = Skip.HUNG_UP
        elif self._peers.has_left(environ):
            found = Skip.LEFT
        elif waited > self._limit(environ):
            found = Skip.EXPIRED
        self.skipped += found is not None
        self.left += found in (Skip.HUNG_UP, Skip.LEFT)
        was_sent_to_us = float(environ["PORTICO_MSEC"]) >= self._since
        if found and was_sent_to_us:  # otherwise it is no overload: no worker was there to take it
            self._counts[found] += 1
        return found

    def is_crowded(self) -> bool:
        """Whether requests of several clients have waited for long since the last call."""
        was, self._clients = len(self._clients) > 1, set()
        return was

    def look(self, warn: Callable[..., None]) -> None:
        """Called once a second: notices a clock that jumped, and logs skipped requests."""
        if self._has_jumped():
            self.begin()
        now = time.monotonic()
        if any(self._counts.values()) and now - self._told >= _LEAST_SECONDS_BETWEEN:
            counts, self._counts = self._counts, dict.fromkeys(Skip, 0)
            self._told = now
            warn(
                "overload: requests waited in the queue and were not executed: %d whose client had left, "
                "%d answered 503 after three quarters of their time",
                counts[Skip.HUNG_UP] + counts[Skip.LEFT], counts[Skip.EXPIRED],
            )  # fmt: skip

    def _waited_seconds(self, environ: Environ) -> float:
        if self._has_jumped():
            return 0.0  # the once-a-second check has not seen it yet
        return time.time() - max(float(environ["PORTICO_MSEC"]), self._since)

    def _limit(self, environ: Environ) -> float:
        return limit_seconds(float(environ.get("PORTICO_DEADLINE") or self._deadline))

    def _has_jumped(self) -> bool:
        return abs(time.time() - time.monotonic() - self._offset) > _CLOCK_STEP_SECONDS


def limit_seconds(deadline_seconds: float) -> float:
    """How long a request may wait in the queue of a worker with that deadline."""
    return SHARE_OF_TIMEOUT * max(deadline_seconds - _GRACE_SECONDS, deadline_seconds / 2)


def has_waited(environ: Environ) -> bool:
    """Whether a request was in the queue for long enough to be checked."""
    return is_long_ago(environ.get("PORTICO_MSEC"))


def is_long_ago(sent: str | bytes | None) -> bool:
    """Whether that time of nginx's, in seconds, is so long ago that the request is worth a look."""
    try:
        return sent is not None and time.time() - float(sent) > LOOK_SECONDS
    except ValueError:
        return False


def _has_hung_up(connection: Connection) -> bool:
    """nginx has closed its end. Its data can still be read, so a read would not show it."""
    poll = select.poll()
    poll.register(connection, 0)  # only the end of the connection
    return bool(poll.poll(0))
