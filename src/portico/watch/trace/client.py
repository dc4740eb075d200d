"""Sends one request over its own connection and records its moments, on time.monotonic_ns."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
import zlib
from urllib.parse import urlsplit

from msgspec import Struct, field

from portico.errors import Problem, UsageError
from portico.http import END, read_answer, request_head
from portico.link import proxy_line
from portico.link.uwsgi import receive
from portico.values import Address

SECONDS = 60.0
"""How long an answer may take, unless the user sets another time."""
_MOST_BODY = 1 << 20
"""Bytes of a body that are stored; the rest is only counted."""
_STREAM_SECONDS = 3.0
"""How long an event stream is read, unless the user sets another time."""
_SILENT = "the connection was closed without an answer"
Headers = list[tuple[str, str]]


class Wish(Struct, frozen=True):
    """The request to send. `connect` names another address than the URL's, as `host:port`."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    connect: str = ""
    seconds: float = SECONDS
    """The time limit of the whole request."""
    proxied: tuple[Address, ...] = ()
    """The site's own addresses where a connection begins with the PROXY protocol."""


class Sent(Struct):
    """The sent request and its answer. `moments` are monotonic ns by name, in the order of their happening."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Headers
    size: int
    """Bytes of the request's body."""
    moments: dict[str, int] = field(default_factory=dict)
    peer: str = ""
    """The name or address that was looked up."""
    address: str = ""
    tls: str = ""
    cipher: str = ""
    distrust: str = ""
    """Why this machine does not trust the certificate, empty if it does."""
    status: int = 0
    reason: str = ""
    received: Headers = field(default_factory=list)
    body: bytes = b""
    body_size: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """The time of each piece, and its bytes."""
    error: str = ""
    is_cut: bool = False
    """The answer ended before it was complete."""

    def header(self, name: str) -> str:
        """The first header of the answer with this name, empty for none."""
        return next((value for key, value in self.received if key.lower() == name), "")

    @property
    def is_stream(self) -> bool:
        return self.header("content-type").startswith("text/event-stream")

    @property
    def is_upgrade(self) -> bool:
        return any(name.lower() == "upgrade" for name, _ in self.headers)

    def at(self, name: str) -> int:
        return self.moments.get(name, 0)


def send(wish: Wish, token: str) -> Sent:
    """Sends it; `error` is the failure. With a `token`, Portico's worker records it. Raises UsageError for an
    invalid URL.
    """
    sent = _prepared(wish, token)
    ends = time.monotonic() + wish.seconds
    try:
        connection = _connected(sent, wish, ends)
    except (OSError, UnicodeError) as error:
        sent.error = getattr(error, "strerror", None) or str(error)
        sent.moments["failed"] = time.monotonic_ns()
        return sent
    with connection:
        try:
            _talk(connection, sent, wish, ends)
        except TimeoutError:
            sent.is_cut = not sent.is_stream
            sent.error = "" if sent.status else f"no answer within {wish.seconds:g} s"
        except OSError as error:
            is_silent = isinstance(error, ConnectionResetError) and not sent.status
            sent.error = _SILENT if is_silent else error.strerror or str(error)
            sent.is_cut = True
        sent.moments["end"] = time.monotonic_ns()
    return sent


def _prepared(wish: Wish, token: str) -> Sent:
    try:
        url = urlsplit(wish.url)
        scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
        port = url.port or (443 if scheme == "https" else 80)
    except ValueError as error:
        raise UsageError(Problem("", f'"{wish.url}" is not a URL: {error}')) from None
    if scheme not in ("http", "https") or not url.hostname:
        raise UsageError(
            Problem("", f'"{wish.url}" is no URL', "expected http://host/path, or a path like /cart")
        )
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = _headers(wish, url.netloc.rpartition("@")[2], is_socket=url.scheme in ("ws", "wss"))
    made = Sent(wish.method, scheme, url.hostname, port, target, headers, len(wish.body))
    made.headers.append(("X-Portico-Trace", token))
    return made


def _headers(wish: Wish, host: str, *, is_socket: bool) -> Headers:
    given = {name.lower() for name, _ in wish.headers}
    made = [("Host", host), ("User-Agent", "portico-trace"), ("Accept", "*/*"), ("Accept-Encoding", "gzip")]
    if is_socket:
        key = base64.b64encode(os.urandom(16)).decode()
        made += [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        made += [("Sec-WebSocket-Key", key)]
    elif "upgrade" not in given:
        made.append(("Connection", "close"))
    if wish.body:
        made.append(("Content-Type", "application/x-www-form-urlencoded"))
    if wish.body or wish.method in ("POST", "PUT", "PATCH"):
        made.append(("Content-Length", str(len(wish.body))))
    return [pair for pair in made if pair[0].lower() not in given] + list(wish.headers)


def _connected(sent: Sent, wish: Wish, ends: float) -> socket.socket:
    moments, (host, port) = sent.moments, (sent.host, sent.port)
    if wish.connect:
        host, _, number = wish.connect.rpartition(":")
        host, port = host.strip("[]") or "127.0.0.1", int(number)
    sent.peer = host
    host.encode("idna")  # Python loads a module for it, which is not the request's time
    context = _context(sent) if sent.scheme == "https" else None
    moments["begin"] = time.monotonic_ns()
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    moments["looked up"] = time.monotonic_ns()
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(max(0.1, ends - time.monotonic()))
        try:
            connection.connect(address)
        except OSError as error:
            failure = error
            connection.close()
            continue
        moments["connected"] = time.monotonic_ns()
        if proxy_line.is_wanted(connection, wish.proxied):
            connection.sendall(proxy_line.OWN)
        sent.address = f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])
        return _secured(connection, context, sent, wish, ends) if context else connection
    raise failure or OSError(f"{host} has no address")


def _context(sent: Sent) -> ssl.SSLContext:
    made = ssl.create_default_context()
    if sent.distrust:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def _secured(
    connection: socket.socket, context: ssl.SSLContext, sent: Sent, wish: Wish, ends: float
) -> socket.socket:
    """TLS; an untrusted certificate is reported, and the request starts again without the check: the site is the
    user's own.
    """
    try:
        made = context.wrap_socket(connection, server_hostname=sent.host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        if sent.distrust:
            raise
        sent.distrust = error.verify_message
        sent.moments.clear()
        return _connected(sent, wish, ends)
    sent.moments["secured"] = time.monotonic_ns()
    sent.tls, cipher = made.version() or "", made.cipher()
    sent.cipher = cipher[0] if cipher else ""
    return made


def connection_port(sent: Sent, wish: Wish) -> int:
    """The port of the connection."""
    return int(wish.connect.rpartition(":")[2]) if wish.connect else sent.port


def _talk(connection: socket.socket, sent: Sent, wish: Wish, ends: float) -> None:
    head = request_head(sent.method, sent.target, sent.headers)
    sent.moments["sending"] = time.monotonic_ns()
    try:
        connection.sendall(head + wish.body)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before it was read completely: the answer says why
    sent.moments["sent"] = time.monotonic_ns()
    rest = _read_head(connection, sent, ends)
    if sent.status == 101:
        return
    if sent.is_stream and wish.seconds == SECONDS:
        ends = min(ends, time.monotonic() + _STREAM_SECONDS)
    _read_body(connection, sent, rest, ends)


def _read_head(connection: socket.socket, sent: Sent, ends: float) -> bytes:
    received = b""
    while True:
        while END not in received:
            piece = receive(connection, ends)
            sent.moments.setdefault("first byte", time.monotonic_ns())
            if not piece:
                sent.error = (
                    "the connection was closed without an answer" if not received else "the head is cut"
                )
                sent.is_cut = True
                return b""
            received += piece
        head, _, received = received.partition(END)
        try:
            status, reason, headers = read_answer(head)
        except ValueError:
            raise OSError("the server there does not speak HTTP") from None
        if status not in (100, 103):
            break
    sent.moments["head"] = time.monotonic_ns()
    sent.status, sent.reason, sent.received = status, reason, [*headers]
    return received


def _read_body(connection: socket.socket, sent: Sent, rest: bytes, ends: float) -> None:
    length = sent.header("content-length")
    has_none = sent.method == "HEAD" or sent.status in (204, 304)
    chunks = Chunks() if "chunked" in sent.header("transfer-encoding").lower() and not has_none else None
    wanted = 0 if has_none else int(length) if length.isdigit() and chunks is None else None
    kept = bytearray()
    piece = rest
    try:
        while True:
            if chunks:
                piece = chunks.take(piece)
            if piece:
                sent.pieces.append((time.monotonic_ns(), len(piece)))
                sent.body_size += len(piece)
                kept += piece[: max(0, _MOST_BODY - len(kept))]
            if (wanted is not None and sent.body_size >= wanted) or (chunks and chunks.is_over):
                break
            if not (piece := receive(connection, ends)):
                sent.is_cut = wanted is not None or chunks is not None
                break
    finally:
        sent.body = _decoded(bytes(kept), sent)


class Chunks:
    """A decoder of the chunked transfer coding (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self.is_over = False
        self._left = 0
        """Bytes of the chunk, with its line end, that are still missing."""
        self._line = b""

    def take(self, piece: bytes) -> bytes:
        """The decoded part of the body. Raises OSError for an invalid chunk."""
        made = bytearray()
        while piece and not self.is_over:
            if self._left:
                made += piece[: max(0, min(len(piece), self._left - 2))]
                self._left, piece = max(0, self._left - len(piece)), piece[self._left :]
                continue
            head, end, piece = (self._line + piece).partition(b"\n")
            self._line = b"" if end else head
            if end:
                self._begin(head.strip())
        return bytes(made)

    def _begin(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise OSError("the answer's chunks are broken") from None
        self.is_over = size == 0
        self._left = size + 2


def _decoded(body: bytes, sent: Sent) -> bytes:
    if sent.header("content-encoding") == "gzip":
        try:
            return zlib.decompressobj(31).decompress(body, _MOST_BODY)
        except zlib.error:
            return b""
    return body
