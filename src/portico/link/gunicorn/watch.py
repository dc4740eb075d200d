"""The once-a-second checks of a worker's main thread: silent peers, stuck requests, too much memory."""

from __future__ import annotations

import math
import os
import select
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

from portico.link.gunicorn.beat import Beat
from portico.link.slow import SlowRequests
from portico.link.websocket.frames import WebSocketConnection
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.exchange import Log, describe
from portico.link.wsgi.queue import Queue
from portico.link.wsgi.request import Connection
from portico.link.wsgi.slow import slow_requests
from portico.link.wsgi.stream import LONGEST_SILENCE_SECONDS, Stream, StreamCanceller
from portico.link.wsgi.thread_pool import Slot

LOOK_SECONDS: Final = 1.0
_READ_SECONDS: Final = 10.0
"""nginx sends a packet in one piece; a peer that takes longer is not nginx."""
_ROOM: Final = 1.1
_LARGER: Final = 1.5
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_STATM: Final = "/proc/self/statm"


class Watch:
    """Checks the `slots` with the limits of `limits_from`."""

    def __init__(
        self,
        slots: list[Slot],
        log: Log,
        limits: tuple[float, float],
        slow: SlowRequests | None = None,
        queue: Queue | None = None,
        leaving: Leaving | None = None,
        beat: Beat | None = None,
    ) -> None:
        self._beat = beat or Beat()
        self._beat.start(limits[0])
        self._leaving = leaving or Leaving(None)
        self._queue = queue
        self._slow = slow
        self._canceller = StreamCanceller()
        self._slots = slots
        self._log = log
        self._deadline, self._max_memory = limits
        # Opened beforehand: an app that has used up its descriptors is no reason to stop serving.
        self._memory = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC) if self._max_memory < math.inf else -1

    def look(self) -> str | None:
        """Handles silent peers and logs stuck requests; returns why the worker must be replaced, or None."""
        now = time.monotonic_ns()
        self._beat.set(self._longest(now), LOOK_SECONDS)
        self._look_for_clients()
        if self._leaving.is_any():
            self.say_goodbye(self._leaving.has)
        for slot in self._slots.copy():
            self._look_at(slot, now)
        if self._slow:
            self._slow.report(slow_requests(self._slots.copy()))
        if self._queue:
            self._queue.look(self._log.warning)
        stuck = sum(slot.overdue for slot in self._slots)
        if stuck:
            return f"{stuck} of its threads stuck past the deadline"
        if self._memory >= 0 and (used := _resident_bytes(self._memory)) > self._max_memory:
            return f"it has grown to {used >> 20} MiB"
        return None

    @property
    def is_stuck(self) -> bool:
        """Whether no thread is left that could serve."""
        slots = self._slots.copy()
        return bool(slots) and all(slot.overdue for slot in slots)

    def unfinished(self) -> bool:
        """Whether a thread is left that is worth waiting for."""
        return any(
            not slot.overdue and not ((stream := slot.stream) and stream.cancelled)
            for slot in self._slots.copy()
        )

    def say_goodbye(self, is_meant: Callable[[WebSocketConnection], bool] = lambda _: True) -> None:
        """Tells the peers of WebSockets that the server goes away."""
        for slot in self._slots.copy():
            connection = slot.connection
            if slot.handed_over and isinstance(connection, WebSocketConnection) and is_meant(connection):
                connection.say_goodbye()

    def hang_up(self) -> None:
        """Closes the connections that apps hold."""
        for slot in self._slots.copy():
            if slot.handed_over and slot.connection is not None:
                _shut_down(slot.connection, socket.SHUT_RDWR)

    def rest(self) -> None:
        """There are no checks any more."""
        self._beat.stop()

    def _longest(self, now: int) -> float:
        """How many seconds the requests in progress may still take. A route of streams may be silent for an hour: that
        is no time to compute.
        """
        in_progress = [(slot, slot.environ) for slot in self._slots.copy() if not slot.overdue]
        return max(
            (
                self._deadline_of(environ) - (now - slot.moved) / 1e9
                for slot, environ in in_progress
                if environ and "PORTICO_STREAM" not in environ
            ),
            default=0.0,
        )

    def _deadline_of(self, environ: Mapping[str, Any]) -> float:
        return float(environ.get("PORTICO_DEADLINE", self._deadline))

    def _look_for_clients(self) -> None:
        """Notifies streams whose client has left: nginx closes the connection when the client does."""
        open_streams, poll = dict[int, Stream](), select.poll()
        for slot in self._slots.copy():
            # Only a thread that serves nothing else may get an exception.
            if slot.replaced and (stream := slot.stream) and (descriptor := stream.connection.fileno()) >= 0:
                open_streams[descriptor] = stream
                poll.register(descriptor, 0)  # only the end of the connection
        gone = poll.poll(0) if open_streams else []
        self._canceller.cancel([open_streams[descriptor] for descriptor, _ in gone])

    def _look_at(self, slot: Slot, now: int) -> None:
        connection, environ = slot.connection, slot.environ
        quiet = (now - slot.moved) / 1e9
        if connection is None or slot.handed_over or slot.overdue:
            return
        if environ is None:
            if quiet > _READ_SECONDS:
                self._log.warning("request refused: no complete uwsgi packet came within %g s", _READ_SECONDS)
                _shut_down(connection, socket.SHUT_RD)
            return
        deadline, stream = self._deadline_of(environ), slot.stream
        if stream and stream.cancelled:
            return  # the thread is not needed: it ends when the app sends something, or never
        if stream and quiet > min(deadline / 3, LONGEST_SILENCE_SECONDS) and stream.comment():
            slot.moved = now
        elif quiet > deadline:
            slot.overdue = True
            self._log.error(
                "%s is stuck: no progress for %.1f s, the limit is %g s; thread %s is in\n%s",
                describe(environ), quiet, deadline, slot.label, _stack(slot.ident),
            )  # fmt: skip


def limits_from(environment: Mapping[str, str]) -> tuple[float, float]:
    """PORTICO_DEADLINE in seconds and PORTICO_MAX_MEMORY in bytes, infinite if unset; RuntimeError with one line."""
    limits = []
    for name in ("PORTICO_DEADLINE", "PORTICO_MAX_MEMORY"):
        text = environment.get(name) or "inf"
        try:
            limits.append(float(text))
        except ValueError:
            raise RuntimeError(f"{name} is {text!r}, expected a number") from None
    return limits[0], limits[1]


def allowed_memory(limit: float, fresh: int) -> float:
    """The memory limit in bytes of a worker that had `fresh` bytes after loading the app.

    A limit below what the app needs to start would replace each worker after one request: then the limit is one and
    a half times `fresh`, and Portico says so (`run.watchers.workers`).
    """
    return limit if limit >= fresh * _ROOM else fresh * _LARGER


def _resident_bytes(memory: int) -> int:
    """The resident memory of this process, from its open statm."""
    return int(os.pread(memory, 128, 0).split()[1]) * _PAGE


def _stack(ident: int) -> str:
    frame = sys._current_frames().get(ident)
    return "".join(traceback.format_stack(frame)).rstrip() if frame else "(the thread has ended)"


def _shut_down(connection: Connection, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        pass  # closed at this moment
