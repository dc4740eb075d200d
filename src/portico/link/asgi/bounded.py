"""A server that runs so many requests at a time, and leaves the others in the queue of the socket.

There they wait in the order in which they came, the kernel refuses those beyond its bound (`wsgi.backlog`), and one
whose client leaves is never executed. Requests that last (WebSockets, streams) are not counted: they end when their
clients like.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from portico.link.asgi.exchange import Exchange, Means
from portico.link.asgi.server import BATCH, Server
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.request import Connection

VARIABLE: Final = "PORTICO_AT_ONCE"
"""How many requests a worker runs at a time."""
_LOOK_SECONDS: Final = 0.02
"""How often a full server looks which of its requests have become ones that last."""


def at_once(environment: Mapping[str, str]) -> int:
    """How many requests may run at a time, 0 for any number; RuntimeError with one line."""
    text = environment.get(VARIABLE) or "0"
    if not text.isdecimal():
        raise RuntimeError(f"{VARIABLE} is {text!r}, expected a number")
    return int(text)


class CountedExchange(Exchange):
    """Tells when its connection is closed: the answer is out, or given up. A background task may go on."""

    def __init__(
        self,
        means: Means,
        connection: Connection,
        ended: Callable[[Exchange], object],
        closed: Callable[[Exchange], None],
    ) -> None:
        super().__init__(means, connection, ended)
        self._closed = closed

    def close(self) -> None:
        super().close()
        self._closed(self)


class BoundedServer(Server):
    """Runs at most `most` requests at a time."""

    def __init__(self, listener: socket.socket, means: Means, leaving: Leaving, most: int) -> None:
        super().__init__(listener, means, leaving)
        self._make = self._counted
        self._most = most
        self._running = set[Exchange]()
        self._is_full = self._is_draining = False
        self._found_empty = True
        self._timer: asyncio.TimerHandle | None = None

    def was_idle(self) -> bool:
        """Whether it could take more requests than there were, since the last call."""
        was, self._found_empty = self._found_empty, False
        return was or self.is_paused

    def stop(self, *, takes_backlog: bool) -> None:
        """Accepts no more; first those that wait, as before so many at a time."""
        self._is_draining = takes_backlog and not self.is_paused
        super().stop(takes_backlog=False)
        self._drain()

    async def finish(self, seconds: float) -> None:
        """As before; what still waits at the end is not taken."""
        self._loop.call_later(seconds, self._end_drain)
        await super().finish(seconds)

    def _counted(self, means: Means, connection: Connection, ended: Any) -> Exchange:
        exchange = CountedExchange(means, connection, ended, self._release)
        exchange.may_be_cancelled = self._is_stopped
        self._running.add(exchange)
        return exchange

    def _arrived(self) -> None:
        for _ in range(BATCH):
            if self.is_paused or self._is_crowded():
                return
            if not self._accept():
                self._found_empty = True
                return

    def _listen(self) -> None:
        if not self._is_full:
            super()._listen()

    def _is_crowded(self) -> bool:
        if len(self._running) < self._most:
            return False
        self._is_full = True
        self._turn_away()
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look_for_lasting)
        return True

    def _release(self, exchange: Exchange) -> None:
        """One less: its connection is closed, or it lasts."""
        if exchange in self._running:
            self._running.remove(exchange)
            if self._is_full:
                self._is_full = False
                self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        # First those that wait: in an overload, the loop need not watch the listener in between.
        self._drain()
        self._arrived()
        self._listen()

    def _look_for_lasting(self) -> None:
        self._timer = None
        if self._is_full:
            for exchange in [one for one in self._running if one.lasts]:
                self._release(exchange)
            if self._is_full:
                self._timer = self._loop.call_later(_LOOK_SECONDS, self._look_for_lasting)

    def _drain(self) -> None:
        while self._is_draining and not self._is_crowded():
            self._is_draining = self._accept()

    def _end_drain(self) -> None:
        self._is_draining = False
