"""One connection for each case, from an address of its own on loopback: so nginx's log says whose each line is."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, TypeVar

from tests.attack.smuggling.reading import requests

T = TypeVar("T")
_IDS = re.compile(rb"\r\nX-Request-ID: ([0-9a-f]{32})\r\n", re.IGNORECASE)
_AT_ONCE = 8
_LAST_SECONDS = 0.5
PATIENCE_SECONDS = 60
"""Until a silent server is a finding: it waits for bytes that do not come."""


class Told(NamedTuple):
    """What a client saw: the ids of its answers, in order, and whether the server left it waiting for one."""

    address: str
    ids: list[str]
    is_waiting: bool


def everybody(cases: Sequence[T], ask: Callable[[T], Told]) -> list[Told]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, cases))


def connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, source_address=(source, 0))


def ask(port: int, source: str, data: bytes) -> Told:
    """Send the bytes, wait for as many answers as a strict reader expects, and say that no more will come.

    What else was hidden in the bytes is answered before the server sees that, since it has all of them.
    """
    expected, received, is_waiting = len(requests(data)[0]), b"", False
    with connect(port, source) as connection:
        with suppress(ConnectionError):
            connection.sendall(data)
        try:
            while len(_IDS.findall(received)) < expected and (more := connection.recv(65536)):
                received += more
        except TimeoutError:
            is_waiting = True
        except ConnectionError:
            pass
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        if b"\r\nConnection: close\r\n" in received:
            connection.settimeout(_LAST_SECONDS)  # no answer can follow; nginx waits for the rest of a body
        with suppress(OSError):
            while more := connection.recv(65536):
                received += more
    return Told(source, [found.decode() for found in _IDS.findall(received)], is_waiting)


def secure(port: int, source: str) -> ssl.SSLSocket:
    """HTTP/2 by ALPN, without a look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(connect(port, source), server_hostname="localhost")
