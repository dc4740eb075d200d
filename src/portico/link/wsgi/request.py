"""The incoming half of a request: the packet, the WSGI environ, the body.

The request stays in the kernel's queue until its response is complete: closing a unix socket with unread bytes
resets it, so nginx never takes a truncated response for a complete one, not even if this process is killed. The
packet is therefore read with MSG_PEEK, and the last byte of a body is left. More is in
docs/decisions/02-portico-brings-its-own-worker.md.
"""

from __future__ import annotations

import _socket
import io
import re
import socket
from collections.abc import Iterator
from typing import Any, Final

from portico.link.uwsgi import HEADER_SIZE, BadPacketError, decode, packet_size

Environ = dict[str, Any]
Connection = _socket.socket
"""The C socket: building a socket.socket for each connection costs 2 us more."""

_PEEK: Final = socket.MSG_PEEK
_SO_PEEK_OFF: Final = 42  # asm-generic/socket.h; Python has no name for it
_FIRST_READ: Final = 16384
"""Nearly every request fits; a larger one costs one more read."""
_CHUNK: Final = 1 << 18
"""Bytes of a body read at once; a unix socket holds about 208 KiB by default."""


_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
"""What stands before the path where a client names scheme and host in the request line; nginx takes it away."""
_OF_HTTPD: Final = frozenset((
    *("PATH", "DOCUMENT_ROOT", "CONTEXT_DOCUMENT_ROOT", "CONTEXT_PREFIX", "SCRIPT_FILENAME", "SCRIPT_URI"),
    *("SCRIPT_URL", "SERVER_ADMIN", "SERVER_SIGNATURE", "SERVER_SOFTWARE", "GATEWAY_INTERFACE", "UNIQUE_ID"),
    *("BALANCER_NAME", "BALANCER_WORKER_NAME", "BALANCER_WORKER_ROUTE", "BALANCER_ROUTE_CHANGED", "proxy-sendcl"),
    *("PORTICO_SCHEME", "PORTICO_PREFIX", "PORTICO_BEFORE", "PORTICO_HOST", "PORTICO_PORT", "PORTICO_ID"),
    *("PORTICO_URI", "PORTICO_GUARD", "PORTICO_AGENT", "PORTICO_REFERER", "PORTICO_PAGE", "PORTICO_503"),
    *("PORTICO_LIFE", "PORTICO_CODING", "PORTICO_FORWARDED", "PORTICO_TRACEPARENT", "no-gzip", "no-brotli"),
    *("PORTICO_PATH", "HTTP2", "H2PUSH", "H2_PUSH", "H2_PUSHED", "H2_PUSHED_ON", "H2_STREAM_ID", "H2_STREAM_TAG"),
))  # fmt: skip
"""Variables of httpd's own, of which the app needs none."""


class ClientGoneError(ConnectionError):
    """nginx has closed the connection: the client left, or nginx gave up waiting."""


def read_packet(connection: Connection) -> tuple[bytes, int]:
    """Everything that has arrived, without consuming it, and the length of the packet it begins with.

    What follows the packet is the start of the body. Blocks until the packet is complete. Empty bytes if the peer
    closed without sending; BadPacketError for anything that is not a uwsgi request.
    """
    seen = connection.recv(_FIRST_READ, _PEEK)
    size = len(seen)
    if size >= HEADER_SIZE:
        end = packet_size(seen)
        if end <= size:
            return seen, end
    return _read_rest(connection) if seen else (b"", 0)


def build_environ(packet: bytes, base: Environ) -> Environ:
    """A fresh environ: `base` and the variables of the packet, as PEP 3333 requires.

    BadPacketError if the packet is malformed or contains no request method.
    """
    environ = base.copy()
    decode(packet, environ)
    if "REQUEST_METHOD" not in environ:
        raise BadPacketError("a uwsgi packet without REQUEST_METHOD")
    if "PORTICO_SCHEME" in environ:
        _mend_cgi(environ)
    environ["wsgi.url_scheme"] = _scheme(environ)
    prefix = environ.get("SCRIPT_NAME")
    if prefix:
        _strip_prefix(environ, prefix)
    elif prefix is None:
        environ["SCRIPT_NAME"] = ""
    if "REQUEST_URI" in environ:
        environ["RAW_URI"] = environ["REQUEST_URI"]  # Gunicorn's and Werkzeug's name for it
    if not environ.get("QUERY_STRING", "").isascii():
        _mend_query(environ)
    if "HTTP_CONTENT_LENGTH" in environ or "HTTP_CONTENT_TYPE" in environ:
        # nginx sends these two as headers as well; CGI and PEP 3333 have them without HTTP_ only.
        environ.pop("HTTP_CONTENT_LENGTH", None)
        environ.pop("HTTP_CONTENT_TYPE", None)
    if "SERVER_NAME" not in environ or "SERVER_PORT" not in environ or "SERVER_PROTOCOL" not in environ:
        _fill_in(environ)
    return environ


def content_length(environ: Environ) -> int:
    """The length of the body after the packet; BadPacketError if it is not a number."""
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise BadPacketError(f"a uwsgi packet with CONTENT_LENGTH {text[:30]!r}")
    return int(text)


def take(connection: Connection, count: int) -> None:
    """Consumes `count` bytes of the socket, or fewer if the peer closes first."""
    while count > 0 and (taken := len(connection.recv(min(count, _CHUNK)))):
        count -= taken


class NoBody:
    """The `wsgi.input` of a request without a body. It has no state, so one object serves all requests."""

    def read(self, _size: int = -1) -> bytes:
        return b""

    def readline(self, _size: int = -1) -> bytes:
        return b""

    def readlines(self, _hint: int = -1) -> list[bytes]:
        return []

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Does nothing."""


class Body(io.RawIOBase):
    """The bytes of a request body, read from the socket when the app asks for them.

    All bytes except the last are consumed as they arrive. (A byte left in the middle would keep its whole buffer
    charged to nginx, which then stops sending.) Before the response begins, a cut needs no such byte. Then `hold`
    is called, and from there on the app gets nothing before the next byte is in the kernel's queue. Read through
    `io.BufferedReader`; raises ClientGoneError if the connection ends before `length` bytes.
    """

    def __init__(self, connection: Connection, packet_length: int, length: int) -> None:
        super().__init__()
        self._connection = connection
        self._stale = packet_length  # bytes at the start of the kernel's queue that were used already
        self._length = length
        self._left = length  # bytes of the body that the app has not read yet
        self._holding = False

    @property
    def untaken(self) -> int:
        """How many bytes of the request are still in the socket."""
        return self._stale + self._left

    @property
    def taken(self) -> int:
        """How many of its bytes the app has read."""
        return self._length - self._left

    @property
    def arrived(self) -> bool:
        """Whether the whole body is known to have left nginx."""
        return self._left == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        wanted = min(len(view), self._left)
        if wanted == 0:
            return 0
        try:
            if self._stale:
                take(self._connection, self._stale)
                self._stale = 0
            if self._left == 1:
                return self._peek_last(view)
            count = self._connection.recv_into(view[: min(wanted, self._left - 1)])
            self._left -= count
            if count == 0 or self._holding:
                self._await_byte()
        except OSError as error:
            raise ClientGoneError(*error.args) from None
        return count

    def hold(self) -> None:
        """Waits until a byte of the request is in the kernel's queue; called before a response begins."""
        self._holding = True
        if self._stale == 0 and self._left:
            try:
                self._await_byte()
            except OSError as error:
                raise ClientGoneError(*error.args) from None

    def _await_byte(self) -> bytes:
        if byte := self._connection.recv(1, _PEEK):
            return byte
        raise ClientGoneError(f"the request body ended {self._left} bytes early")

    def _peek_last(self, view: memoryview) -> int:
        view[:1] = self._await_byte()
        self._left, self._stale = 0, 1
        return 1


def _read_rest(connection: Connection) -> tuple[bytes, int]:
    """As read_packet, for a packet that comes in pieces or is larger than the first read."""
    # With an offset set, each peek continues after the last one, and blocks if there is nothing new.
    connection.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, 0)
    seen, end = b"", HEADER_SIZE
    while len(seen) < end:
        if not (more := connection.recv(_CHUNK, _PEEK)):
            raise BadPacketError(f"a uwsgi packet cut after {len(seen)} of {end} bytes")
        seen += more
        # The first byte is decisive: HTTP shorter than a header must not wait for more.
        end = packet_size(seen) if len(seen) >= HEADER_SIZE or seen[0] else HEADER_SIZE
    connection.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, -1)
    return seen, end


def _mend_cgi(environ: Environ) -> None:
    """Apache httpd sets the scheme and the prefix of CGI itself, as it sees them: the right ones have other names."""
    environ["REQUEST_SCHEME"] = scheme = environ["PORTICO_SCHEME"]
    environ["SCRIPT_NAME"] = environ.get("PORTICO_PREFIX", "")
    path, sent = environ.get("PATH_INFO", ""), environ.get("REQUEST_URI", "")
    if not sent.startswith("/") and (found := _ABSOLUTE.match(sent)):
        rest = sent[found.end() :]
        environ["REQUEST_URI"] = sent = rest if rest.startswith("/") else f"/{rest}"
    if sent.startswith("//"):
        # httpd takes several slashes at the beginning for one.
        path = "/" * (len(sent) - len(sent.lstrip("/"))) + path.lstrip("/")
    environ["PATH_INFO"] = environ.get("PORTICO_BEFORE", "") + path
    if scheme == "https":
        environ["HTTPS"] = "on"
    else:
        environ.pop("HTTPS", None)
    for name in _OF_HTTPD & environ.keys():
        del environ[name]


def _scheme(environ: Environ) -> str:
    scheme = environ.get("REQUEST_SCHEME")
    if scheme:
        return str(scheme)
    return "https" if environ.get("HTTPS", "").lower() in ("on", "1") else "http"


def _strip_prefix(environ: Environ, prefix: str) -> None:
    """nginx sends the whole path; WSGI splits it into the mount point and the path below."""
    prefix = environ["SCRIPT_NAME"] = prefix.rstrip("/")
    path = environ.get("PATH_INFO", "")
    if path == prefix or path.startswith(prefix + "/"):
        environ["PATH_INFO"] = path[len(prefix) :]


def _mend_query(environ: Environ) -> None:
    """Invalid UTF-8 in a query is decoded as Latin-1, as Werkzeug's own server and Django do: Flask cannot."""
    query = environ["QUERY_STRING"]
    try:
        query.encode("latin-1").decode()
    except UnicodeDecodeError:
        environ["QUERY_STRING"] = query.encode().decode("latin-1")


def _fill_in(environ: Environ) -> None:
    """PEP 3333 requires these; nginx's stock uwsgi_params sends them."""
    environ.setdefault("SERVER_NAME", "localhost")
    environ.setdefault("SERVER_PORT", "443" if environ["wsgi.url_scheme"] == "https" else "80")
    environ.setdefault("SERVER_PROTOCOL", "HTTP/1.1")
    environ.setdefault("PATH_INFO", "")
