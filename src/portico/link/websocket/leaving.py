"""nginx's workers that Portico is about to end: who holds a WebSocket through one says goodbye before.

A worker of nginx that has read a new configuration lives on until its last transfer has ended; Portico bounds how many
may. Those that are to go are named by files, in a directory that is there only then. The worker looks once a second.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "PORTICO_LEAVING"
"""Names the directory."""
_CREDENTIALS: Final = struct.Struct("3i")


class Leaving:
    """`directory` None: nobody tells."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory or ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Leaving:
        return cls(environment.get(VARIABLE))

    def is_any(self) -> bool:
        """Whether some worker of nginx's is about to be ended."""
        return bool(self._directory) and os.path.exists(self._directory)  # noqa: PTH110  once a second: no Path is made

    def has(self, connection: socket.socket) -> bool:
        """Whether this connection was made by such a worker."""
        try:
            return os.path.exists(f"{self._directory}/{_peer(connection)}")  # noqa: PTH110
        except OSError:
            return False  # closed in this moment


def _peer(connection: socket.socket) -> int:
    """The pid of the process that connected this unix socket (SO_PEERCRED, unix(7))."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[0])
