"""Notices without reading that nginx has closed a connection: the client left."""

from __future__ import annotations

import asyncio
import select
from contextlib import suppress
from typing import Final

from portico.link.asgi.wire import wake
from portico.link.wsgi.request import Connection

_MOST_EVENTS: Final = 64


class Departures:
    """Tells when peers close. Unread bytes of a request keep its socket readable: only EPOLLRDHUP is watched."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._poller = select.epoll()
        self._waiters = dict[int, asyncio.Future[None]]()
        loop.add_reader(self._poller.fileno(), self._look)

    def watch(self, connection: Connection) -> asyncio.Future[None]:
        """A future that is done when the peer has closed. `forget` it before the connection is closed."""
        descriptor = connection.fileno()
        waiter = self._waiters[descriptor] = self._loop.create_future()
        self._poller.register(descriptor, select.EPOLLRDHUP)
        return waiter

    def forget(self, connection: Connection) -> None:
        if self._waiters.pop(descriptor := connection.fileno(), None):
            with suppress(OSError):
                self._poller.unregister(descriptor)

    def _look(self) -> None:
        for descriptor, _ in self._poller.poll(0, _MOST_EVENTS):
            self._poller.unregister(descriptor)
            if waiter := self._waiters.get(descriptor):
                wake(waiter)
