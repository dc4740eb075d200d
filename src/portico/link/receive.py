"""What an ASGI app hears of its client: a question that the app gives up does not become a disconnect.

Gunicorn's receiver takes a cancelled wait for the end of the connection, and frameworks cancel one each time they ask
whether the client is still there (`await request.is_disconnected()`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Receiver:
    """The `receive` of one HTTP request. While the body comes it costs one more call; `end` it with the request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_body = False
        self._waiting: asyncio.Future[Message] | None = None

    async def __call__(self) -> Message:
        """The next message: of the body, then `http.disconnect`."""
        if not self._has_body:
            message = await self._receive()
            self._has_body = not message.get("more_body", False)
            return message
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._receive())
        return await asyncio.shield(self._waiting)

    def end(self) -> None:
        """Nobody asks any more."""
        if self._waiting is not None:
            self._waiting.cancel()
