"""An ASGI app's `receive`: a wait that the app cancels does not become a disconnect.

Gunicorn's receiver treats a cancelled wait as the end of the connection, and frameworks cancel one each time they
check for a disconnect (`await request.is_disconnected()`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Receiver:
    """The `receive` of one HTTP request. During the body it costs one more call; `end` it with the request."""

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
        """The app no longer asks."""
        if self._waiting is not None:
            self._waiting.cancel()
