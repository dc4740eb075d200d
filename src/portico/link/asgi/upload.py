"""An upload as a file: its path in `scope["extensions"]["portico.upload"]["path"]`, and the file itself as the body."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from portico.link import upload
from portico.link.asgi.body import Body
from portico.link.asgi.scope import Scope
from portico.link.asgi.wire import Wire
from portico.link.wsgi.request import ClientGoneError

VARIABLE: Final = upload.VARIABLE.encode()
_PIECE: Final = 1 << 16
"""Bytes of a file read at once: the memory of one upload."""
_FAIR: Final = 1 << 18
"""Bytes after which others get their turn."""


class Upload:
    """The file with the `length` bytes of a body. Closed with the connection, and removed then, as nginx removes its
    own: the app renames it, or links it, to keep it.
    """

    def __init__(self, where: bytes, length: int, wire: Wire) -> None:
        """BadPacketError if nginx's file is not there, or not whole."""
        self._wire, self._left, self._at = wire, length, 0
        self._directory = self._path = ""
        self._own: Path | None = None
        self._since_yield = 0
        if where.endswith(b"/"):
            self._directory = os.fsdecode(where)
            self._file = -1
        else:
            self._path = os.fsdecode(where)
            self._file = upload.open_whole(where, length)

    @property
    def is_nginx_s(self) -> bool:
        """Whether nginx has written the file, and sends no body."""
        return not self._directory

    async def fill(self, chunk: bytes | None, body: Body | Upload | None) -> None:
        """Writes the worker's own file: `chunk` is the whole body, or `body` reads it. NoRoomError, other errors."""
        self._file, self._own = upload.make(self._directory)
        self._path = str(self._own)
        if chunk is not None:
            self._write(chunk)
        while body is not None and not body.arrived:
            self._write(await body.read())

    def tell(self, scope: Scope) -> None:
        """The app's extension."""
        scope["extensions"][upload.NAME] = {"path": self._path}

    @property
    def arrived(self) -> bool:
        """Whether the app has all of it."""
        return self._left == 0

    async def read(self) -> bytes:
        """The next piece, empty after the last. ClientGoneError once it is closed."""
        if self._since_yield > _FAIR:
            self._since_yield = 0
            await asyncio.sleep(0)
        if self._file < 0:
            raise ClientGoneError("the connection is closed")
        piece = os.pread(self._file, min(_PIECE, self._left), self._at)
        self._at += len(piece)
        self._left = self._left - len(piece) if piece else 0  # the app itself has cut the file
        self._since_yield += len(piece)
        self._wire.progress()
        return piece

    def close(self) -> None:
        """Removes the worker's own file, unless the app has moved it away."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._own is not None:
            self._own.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise upload.no_room(error, self._directory) from None
