"""One connection of nginx's in the event loop: waits until it can be read or written, and sends."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from typing import Final

from portico.link.wsgi.request import ClientGoneError, Connection

_NO_WAIT: Final = int(socket.MSG_DONTWAIT)
_NOTHING: Final = memoryview(b"")
_CLOSED: Final = "the connection is closed"


class Wire:
    """At most one task at a time waits to read, and one sends; the callers' locks see to that.

    `moved` is when it last made progress (time.monotonic_ns).
    """

    __slots__ = ("_reader", "_rest", "_writer", "connection", "is_open", "loop", "moved")

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection, self.loop = connection, loop
        self.is_open = True
        self.moved = time.monotonic_ns()
        self._rest = _NOTHING
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    def progress(self) -> None:
        self.moved = time.monotonic_ns()

    async def readable(self) -> None:
        """Returns when there is something to read, or the end. ClientGoneError once the connection is closed."""
        descriptor, waiter = self._descriptor(), self.loop.create_future()
        self._reader = waiter
        self.loop.add_reader(descriptor, wake, waiter)
        try:
            await waiter
        finally:
            if self._reader is waiter:  # else it is closed, and the number may be another connection's
                self._reader = None
                self.loop.remove_reader(descriptor)

    async def writable(self) -> None:
        """Returns when the kernel takes more, or the peer has closed. ClientGoneError once it is closed here."""
        descriptor, waiter = self._descriptor(), self.loop.create_future()
        self._writer = waiter
        self.loop.add_writer(descriptor, wake, waiter)
        try:
            await waiter
        finally:
            if self._writer is waiter:
                self._writer = None
                self.loop.remove_writer(descriptor)

    def offer(self, data: bytes) -> bool:
        """Hands to the kernel what it takes at once; whether that is everything. The next `send` sends the rest.
        Raises ClientGoneError.
        """
        if self._rest:
            data = bytes(self._rest) + data
        sent = self._try(data)
        if sent == len(data):
            return True
        self._rest = memoryview(data)[sent:]
        return False

    async def send(self, data: bytes) -> None:
        """Hands everything to the kernel, waiting while it takes no more. Raises ClientGoneError.

        What a cancelled send has left is sent first by the next one.
        """
        if self._rest:
            data = bytes(self._rest) + data
        sent = self._try(data) if data else 0
        self._rest = memoryview(data)[sent:]
        while self._rest:
            await self.writable()
            self._rest = self._rest[self._try(self._rest) :]

    @property
    def waits(self) -> bool:
        """Whether a task waits for the peer: for more of an upload, or to take more of an answer."""
        return self._reader is not None or self._writer is not None

    def has_left(self) -> bool:
        """Whether the peer has closed: the client left, or nginx has all that it wants."""
        if not self.is_open:
            return True
        poller = select.poll()
        poller.register(self.connection, select.POLLRDHUP)
        return bool(poller.poll(0))

    def close(self) -> None:
        """Closes the connection; whoever waits for it wakes, and finds it closed."""
        if self.is_open:
            self.is_open = False
            if self._reader is not None:
                self.loop.remove_reader(self.connection.fileno())
                wake(self._reader)
            if self._writer is not None:
                self.loop.remove_writer(self.connection.fileno())
                wake(self._writer)
            self._reader = self._writer = None
            self._rest = _NOTHING
            self.connection.close()

    def _descriptor(self) -> int:
        if not self.is_open:
            raise ClientGoneError(_CLOSED)
        return self.connection.fileno()

    def _try(self, data: bytes | memoryview) -> int:
        try:
            sent = self.connection.send(data, _NO_WAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ClientGoneError(*error.args) from None
        self.moved = time.monotonic_ns()
        return sent


def wake(waiter: asyncio.Future[None]) -> None:
    """Ends a wait, once."""
    if not waiter.done():
        waiter.set_result(None)
