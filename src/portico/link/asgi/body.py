"""The body of a request, read from the socket when the app asks for it.

As in `wsgi.request.Body`: all bytes except the last are consumed as they arrive, and once the response has begun the
app gets nothing before the next byte is in the kernel's queue. So a response that is cut is always a reset.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from portico.link.asgi.wire import Wire
from portico.link.wsgi.request import ClientGoneError

_PEEK: Final = socket.MSG_PEEK | socket.MSG_DONTWAIT
_CHUNK: Final = 1 << 16
"""Bytes of a body read at once: the memory of one upload."""
_FAIR: Final = 1 << 18
"""Bytes after which others get their turn, however fast the client is."""


class Body:
    """`length` bytes after `stale` bytes of the request that were used already."""

    def __init__(self, wire: Wire, stale: int, length: int) -> None:
        self._wire, self._connection = wire, wire.connection
        self._stale, self._left = stale, length
        self._since_yield = 0
        self._holding = False
        self._piece = b""
        """Taken from the socket, and not yet the app's: it may give up a wait."""
        self._turn = asyncio.Lock()

    @property
    def untaken(self) -> int:
        """How many bytes of the request are still in the socket, or on the way."""
        return self._stale + self._left

    @property
    def arrived(self) -> bool:
        """Whether the whole body is known to have left nginx."""
        return self._left == 0

    async def read(self) -> bytes:
        """The next piece, empty after the last. ClientGoneError if the connection ends before."""
        async with self._turn:
            piece = await self._read() if self._left else b""
        self._wire.progress()
        return piece

    async def hold(self) -> None:
        """Waits until a byte of the request is in the kernel's queue; called before a response begins."""
        if self._left and not self._holding:
            async with self._turn:
                if self._left and self._stale == 0:
                    await self._byte()
        self._holding = True

    async def _read(self) -> bytes:
        while self._stale:
            # They were seen in the kernel's queue: this never waits.
            self._stale -= len(self._connection.recv(self._stale))
        if self._left == 1:
            last = await self._byte()
            self._left, self._stale = 0, 1
            return last
        if not self._piece:
            if self._since_yield > _FAIR:
                self._since_yield = 0
                await asyncio.sleep(0)
            await self._byte()
            self._piece = self._connection.recv(min(_CHUNK, self._left - 1), socket.MSG_DONTWAIT)
            self._left -= len(self._piece)
            self._since_yield += len(self._piece)
        if self._holding:
            await self._byte()
        piece, self._piece = self._piece, b""
        return piece

    async def _byte(self) -> bytes:
        while True:
            try:
                if byte := self._connection.recv(1, _PEEK):
                    return byte
            except BlockingIOError:
                await self._wire.readable()
                continue
            except OSError as error:
                raise ClientGoneError(*error.args) from None
            self._gone()

    def _gone(self) -> None:
        raise ClientGoneError(f"the request body ended {self._left} bytes early")
