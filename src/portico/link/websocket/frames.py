"""A connection on which the app speaks WebSocket itself, and which the worker can close.

The worker may be told to leave while apps hold connections. A client that gets Close 1001 (going away) reconnects
at once, to the release that serves now; one that is only cut off learns nothing. The close frame must not land
inside another frame, so the app's output is parsed frame by frame.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Final

GOING_AWAY: Final = b"\x88\x02\x03\xe9"
"""RFC 6455 7.4.1: a close frame with status 1001."""
_CLOSE: Final = 8
_LENGTHS: Final = {126: 2, 127: 8}


class Frames:
    """The position within the frames of a server's side of a WebSocket."""

    def __init__(self) -> None:
        self._handshake = b""
        self._head = b""
        self._left = 0
        self.is_speaking = False
        """The handshake is complete, and was a WebSocket's."""
        self.has_closed = False
        """The app has sent a close frame itself."""

    @property
    def at_boundary(self) -> bool:
        return self.is_speaking and not self._head and self._left == 0

    def follow(self, data: bytes) -> None:
        """Parses bytes that were sent."""
        if not self.is_speaking:
            data = self._handshaken(data)
        while data:
            skipped = min(self._left, len(data))
            self._left -= skipped
            data = data[skipped:]
            if not data:
                return
            data = self._begin(data)

    def _handshaken(self, data: bytes) -> bytes:
        """The bytes after the handshake."""
        self._handshake += data
        head, end, rest = self._handshake.partition(b"\r\n\r\n")
        if not end or not head.startswith(b"HTTP/1.1 101"):
            return b""
        self.is_speaking, self._handshake = True, b""
        return rest

    def _begin(self, data: bytes) -> bytes:
        """Reads the head of a frame, as far as it is complete; returns the bytes after it."""
        before = len(self._head)
        head = self._head + data[:14]
        size = 2
        if len(head) >= size:
            length = head[1] & 127
            size += _LENGTHS.get(length, 0) + (4 if head[1] & 128 else 0)
            if len(head) >= size:
                if extended := _LENGTHS.get(length):
                    length = int.from_bytes(head[2 : 2 + extended], "big")
                self.has_closed |= head[0] & 15 == _CLOSE
                self._head, self._left = b"", length
                return data[size - before :]
        self._head = head
        return b""


class WebSocketConnection(socket.socket):
    """The socket for the app. Bytes that do not go through send and sendall are not parsed."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        if self.gettimeout() is not None:  # the app has called socket.setdefaulttimeout
            self.settimeout(None)
        self._lock = threading.Lock()
        self._frames = Frames()
        self._said = False

    def send(self, data: Any, *flags: int) -> int:
        with self._lock:
            if self._said:
                return memoryview(data).nbytes  # nothing may follow a close frame
            sent = super().send(data, *flags)
            self._frames.follow(bytes(memoryview(data)[:sent]))
            return sent

    def sendall(self, data: Any, *flags: int) -> None:
        with self._lock:
            if not self._said:
                super().sendall(data, *flags)
                self._frames.follow(bytes(data))

    def say_goodbye(self) -> None:
        """Sends a close frame, once, unless the app is in the middle of a frame."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._frames.at_boundary and not (self._said or self._frames.has_closed):
                self._said = super().send(GOING_AWAY, socket.MSG_DONTWAIT) > 0
        except OSError:
            pass  # the client left, or does not read
        finally:
            self._lock.release()
