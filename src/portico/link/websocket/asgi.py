"""Closes an ASGI app's WebSockets from the worker.

As in `frames` for WSGI: a client that gets Close 1001 (going away) reconnects at once. The app gets a disconnect
with the same code.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from portico.link.receive import Message, Receive
from portico.link.websocket.leaving import Leaving

GOING_AWAY: Final = 1001


class AsgiWebSocket:
    """One WebSocket. `send` is the server's own; the app gets `receive` of this."""

    def __init__(self, receive: Receive, send: Any) -> None:
        self._receive, self._send = receive, send
        self._waiting: asyncio.Task[Any] | None = None
        self._goodbye: asyncio.Task[None] | None = None
        self.is_accepted = False

    async def receive(self) -> Message:
        """The client's messages, or a disconnect once the worker has closed."""
        if self._goodbye:
            return {"type": "websocket.disconnect", "code": GOING_AWAY}
        self._waiting = task = asyncio.current_task()
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if not self._goodbye or task is None:
                raise
            task.uncancel()
            return {"type": "websocket.disconnect", "code": GOING_AWAY}
        finally:
            self._waiting = None

    def say_goodbye(self) -> None:
        """Closes both ends, once; a WebSocket that is not accepted yet is left alone."""
        if self.is_accepted and self._goodbye is None:
            self._goodbye = asyncio.ensure_future(self._close())

    def is_through(self, leaving: Leaving) -> bool:
        """Whether it comes through an nginx worker that is about to be ended."""
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        connection = transport.get_extra_info("socket") if transport else None
        return connection is not None and leaving.has(connection)

    async def _close(self) -> None:
        with suppress(Exception):  # the client has just left
            closing = asyncio.ensure_future(self._send({"type": "websocket.close", "code": GOING_AWAY}))
            await asyncio.sleep(0)  # the frame is sent; the rest of the wait is for the client
            if self._waiting:
                self._waiting.cancel()
            await closing
