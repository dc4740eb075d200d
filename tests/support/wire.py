"""HTTP on a plain socket. An answer may come in parts, and the peer may close or reset at any byte."""

from __future__ import annotations

import http.client
import socket
import time


def read_all(connection: socket.socket) -> bytes:
    """Everything until the peer closes or resets."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:
        pass
    return received


def read_until(connection: socket.socket, end: bytes, seconds: float = 60) -> bytes:
    """Everything up to the read that completes these bytes; an error if the peer closes before, or is silent."""
    received, give_up = b"", time.monotonic() + seconds
    while end not in received:
        connection.settimeout(max(0.001, give_up - time.monotonic()))
        try:
            more = connection.recv(65536)
        except OSError as error:
            raise AssertionError(f"{error!r} before {end!r}, after {received!r}") from error
        assert more, f"closed before {end!r}, after {received!r}"
        received += more
    return received


def status(connection: socket.socket) -> int:
    """The status of the next answer; its headers are read, too, and perhaps some of its body."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status
