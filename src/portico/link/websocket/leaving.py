"""nginx workers that Portico is about to end: their WebSockets are closed first.

An nginx worker with an old configuration lives until its last transfer has ended; Portico limits their number.
Files name those that must go, in a directory that exists only then. The worker checks it once a second.
"""

from __future__ import annotations

import _socket
import os
import socket
import struct
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "PORTICO_LEAVING"
"""The variable with the directory."""
_CREDENTIALS: Final = struct.Struct("3i")


class Leaving:
    """`directory` None: no notifications."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory or ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Leaving:
        return cls(environment.get(VARIABLE))

    def is_any(self) -> bool:
        """Whether some nginx worker is about to be ended."""
        return bool(self._directory) and os.path.exists(self._directory)  # noqa: PTH110  once a second: no Path is made

    def has(self, connection: _socket.socket) -> bool:
        """Whether such a worker made this connection."""
        try:
            return os.path.exists(f"{self._directory}/{_peer(connection)}")  # noqa: PTH110
        except OSError:
            return False  # closed at this moment


def _peer(connection: _socket.socket) -> int:
    """The pid of the process that connected this unix socket (SO_PEERCRED, unix(7))."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[0])
