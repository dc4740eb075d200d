"""Asks the kernel whether a request's client still holds its connection to nginx.

If nginx may cache an answer, it does not close its connection to the worker when the client leaves (`u->cacheable`
in ngx_http_upstream_check_broken_connection). For such a request nginx names the client's connection in
PORTICO_PEER, and sock_diag(7) returns its state: one exact lookup, 5 us.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import Final

from portico.link.wsgi.request import Environ

VARIABLE: Final = "PORTICO_PEER"
"""`ADDRESS PORT SERVER_ADDRESS SERVER_PORT`, from nginx's variables."""
_NETLINK_SOCK_DIAG: Final = 4  # linux/netlink.h; Python has no names for these
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBBxI")
_PORTS: Final = struct.Struct("!HH")
_ANY_COOKIE: Final = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_STATE_AT: Final = _HEADER.size + 1
_HELD: Final = frozenset({1, 3})
"""ESTABLISHED and SYN_RECV. The listening socket (10) is found if no connection is left."""


class Peers:
    """Asks the kernel; threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def has_left(self, environ: Environ) -> bool:
        """Whether the client has closed the connection that nginx named; False if unknown."""
        named = environ.get(VARIABLE)
        # HTTP/3 uses UDP.
        if not named or environ.get("SERVER_PROTOCOL", "").startswith("HTTP/3"):
            return False
        try:
            return self._has_left(_question(*named.split(" ")))
        except (OSError, TypeError, ValueError):
            return False  # no such kernel interface here, or a unix socket

    def _has_left(self, question: bytes) -> bool:
        with self._lock:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
            self._socket.send(question)  # the kernel has answered when it returns
            answer = self._socket.recv(1024, socket.MSG_DONTWAIT)
        # Any other type is an error: not found at all, so these sockets are in another network namespace.
        is_found = _HEADER.unpack_from(answer)[1] == _SOCK_DIAG_BY_FAMILY
        return is_found and answer[_STATE_AT] not in _HELD


def _question(address: str, port: str, server: str, server_port: str) -> bytes:
    """A request for nginx's socket with these two ends."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, text).ljust(16, b"\0") for text in (server, address))
    identity = _PORTS.pack(int(server_port), int(port)) + ends + _ANY_COOKIE
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + identity
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + body
