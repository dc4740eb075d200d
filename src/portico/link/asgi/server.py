"""Accepts connections in the event loop, and looks after the requests in progress once a second."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from typing import Any, Final

from portico.link.asgi.exchange import Exchange, Means
from portico.link.asgi.response import Response
from portico.link.asgi.stack import shown, stack
from portico.link.slow import MOST, frames
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.request import Connection
from portico.link.wsgi.stream import COMMENT, LONGEST_SILENCE_SECONDS

BATCH: Final = 4
"""Connections accepted at once: more would take those that another worker could serve at once."""
_READ_SECONDS: Final = 10.0
"""nginx sends a packet in one piece; a peer that takes longer is not nginx."""
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OUT_OF_FILES_SECONDS: Final = 0.01
_REMINDER_SECONDS: Final = 60.0
"""Between two log lines about that."""
_VAIN_SECONDS: Final = 3.0
"""How long an app may send to a client who has left, before it is cancelled."""
_PEEK: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_FIRST_READ: Final = 16384


class Server:
    """Serves the connections of `listener`."""

    def __init__(self, listener: socket.socket, means: Means, leaving: Leaving) -> None:
        listener.setblocking(False)
        self._listener, self._means, self._leaving = listener, means, leaving
        self._loop = means.loop
        self._exchanges = dict[Exchange, asyncio.Task[None]]()
        """With their tasks, until these have ended."""
        self._ended: Callable[[Exchange], object] = lambda one: self._exchanges.pop(one, None)
        self._make: Callable[[Means, Connection, Callable[[Exchange], object]], Exchange] = Exchange
        self.is_paused = True
        self._is_stopped = self._is_listening = False
        self._reminded = -_REMINDER_SECONDS
        self.accepted = 0

    @property
    def unfinished(self) -> int:
        """How many requests and background tasks are in progress."""
        return len(self._exchanges)

    @property
    def open(self) -> list[Exchange]:
        """Those whose connection is open; others only work in the background."""
        return [exchange for exchange in self._exchanges if exchange.wire.is_open]

    def resume(self) -> None:
        """Accepts connections."""
        if self.is_paused and not self._is_stopped:
            self.is_paused = False
            self._listen()

    def pause(self) -> None:
        """Accepts no more until `resume`; requests in progress are finished."""
        if not self.is_paused:
            self.is_paused = True
            self._turn_away()

    def _listen(self) -> None:
        if not self._is_listening and not self.is_paused:
            self._is_listening = True
            self._loop.add_reader(self._listener.fileno(), self._arrived)

    def _turn_away(self) -> None:
        if self._is_listening:
            self._is_listening = False
            self._loop.remove_reader(self._listener.fileno())

    def stop(self, *, takes_backlog: bool) -> None:
        """Accepts no more; first those that wait, where no other worker may be left to do so."""
        self._is_stopped = True
        if takes_backlog and not self.is_paused:
            while self._accept():
                pass
        self.pause()
        for exchange in self._exchanges:
            exchange.may_be_cancelled = True

    def look(self) -> None:
        """Once a second: connections that no one was woken for, silent streams, and requests past their deadline."""
        if not self.is_paused:
            self._arrived()
        now = time.monotonic_ns()
        for exchange in self.open:
            self._look_at(exchange, now)
        if self._leaving.is_any():
            self.say_goodbye(self._leaving)

    def longest(self) -> float:
        """How many seconds the requests in progress may still take. A route of streams may be silent for an hour: that
        is no time to compute.
        """
        now = time.monotonic_ns()
        asked = (one for one in self.open if not (one.is_overdue or one.is_stream))
        return max((one.deadline - (now - one.wire.moved) / 1e9 for one in asked), default=0.0)

    def slow_requests(self) -> Iterator[dict[str, Any]]:
        """A row of each request that the app takes long with, the first ones first."""
        now = time.monotonic_ns()
        slow = (one for one in self.open if one.is_slow(now))
        return (one.row(now, frames(stack(self._exchanges[one]))) for one in islice(slow, MOST))

    def say_goodbye(self, leaving: Leaving | None = None) -> None:
        """Closes WebSockets: all, or those that come through an nginx worker that is about to be ended."""
        for exchange in self.open:
            websocket = exchange.websocket
            if websocket is not None and (leaving is None or websocket.is_through(leaving)):
                websocket.say_goodbye()

    async def finish(self, seconds: float) -> None:
        """Waits for what is in progress, then cancels what is left."""
        ends = self._loop.time() + seconds
        tasks = self._exchanges.values()
        while tasks and (left := ends - self._loop.time()) > 0:
            self.say_goodbye()
            await asyncio.wait(list(tasks), timeout=min(left, 1.0))
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=1.0)

    def _arrived(self) -> None:
        for _ in range(BATCH):
            if self.is_paused or not self._accept():
                return

    def _accept(self) -> bool:
        try:
            descriptor, _ = self._listener._accept()  # type: ignore[attr-defined]  # no socket.socket is made
        except OSError as error:
            if error.errno in _OUT_OF_FILES and not self.is_paused:
                # The connection stays in the backlog until another one is closed.
                self._remind(error)
                self._turn_away()
                self._loop.call_later(_OUT_OF_FILES_SECONDS, self._listen)
            return False
        connection = Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        if connection.gettimeout() is not None:  # the app has called socket.setdefaulttimeout
            connection.setblocking(False)
        try:
            seen = connection.recv(_FIRST_READ, _PEEK)
        except OSError:
            seen = b""  # nothing has come yet
        exchange = self._make(self._means, connection, self._ended)
        task = self._begin(exchange.serve(seen))
        if not task.done():
            self._exchanges[exchange] = task
        self.accepted += 1
        return True

    def _begin(self, serving: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of its own. It runs until its first wait at once where Python can do that: most requests have none,
        and the next connection is left to other workers meanwhile.
        """
        # The end accepts until the backlog is empty: it must not run the app in between, while more arrive.
        if sys.version_info >= (3, 12) and not self._is_stopped and self._loop.get_task_factory() is None:
            return asyncio.Task(serving, loop=self._loop, eager_start=True)
        return self._loop.create_task(serving)

    def _remind(self, error: OSError) -> None:
        if (now := time.monotonic()) - self._reminded >= _REMINDER_SECONDS:
            self._reminded = now
            self._means.log.error(
                "connections wait, since no more can be accepted (%d are open): %s",
                len(self.open), error.strerror,
            )  # fmt: skip

    def _look_at(self, exchange: Exchange, now: int) -> None:
        response, log = exchange.response, self._means.log
        if response is None:
            if now - exchange.wire.moved > _READ_SECONDS * 1e9:
                log.warning("request refused: no complete uwsgi packet came within %g s", _READ_SECONDS)
                self._cancel(exchange)
            return
        exchange.watch()
        if exchange.has_left and not exchange.left:
            exchange.left = now
        if exchange.is_in_vain:
            if now - exchange.left >= _VAIN_SECONDS * 1e9 and not exchange.is_overdue:
                exchange.is_overdue = True
                log.debug("%s: the client left: cancelled", exchange.describe())
                self._cancel(exchange)
            return
        websocket = exchange.websocket
        if websocket is None or not websocket.is_accepted or exchange.has_left:
            self._judge(exchange, response, now)

    def _judge(self, exchange: Exchange, response: Response, now: int) -> None:
        """Cancels what makes no progress for its whole deadline; a silent event stream gets a comment before."""
        if exchange.is_overdue:
            return
        quiet = (now - max(exchange.wire.moved, exchange.left)) / 1e9
        if response.is_events and quiet > min(exchange.deadline / 3, LONGEST_SILENCE_SECONDS):
            response.comment(COMMENT)
            quiet = (now - max(exchange.wire.moved, exchange.left)) / 1e9
        if quiet > exchange.deadline:
            exchange.is_overdue = True
            self._tell_of(exchange, quiet)
            self._cancel(exchange)

    def _tell_of(self, exchange: Exchange, quiet: float) -> None:
        """Any client can be slow, or leave a WebSocket: only the app's own standstill is an error with its stack."""
        log, what = self._means.log, exchange.describe()
        if exchange.websocket is not None and exchange.has_left:
            log.debug("%s: the client left %.1f s ago: cancelled", what, quiet)
        elif exchange.wire.waits and not exchange.has_left:
            log.warning(
                "%s: the client did not go on for %.1f s, the limit is %g s", what, quiet, exchange.deadline
            )
        else:
            log.error(
                "%s is stuck: no progress for %.1f s, the limit is %g s; its task is in\n%s",
                what, quiet, exchange.deadline, shown(self._exchanges.get(exchange)),
            )  # fmt: skip

    def _cancel(self, exchange: Exchange) -> None:
        if task := self._exchanges.get(exchange):
            exchange.may_be_cancelled = True
            task.cancel()
