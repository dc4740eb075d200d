"""The uwsgi protocol, both ends: the packet that nginx sends before a request, and a client that asks as nginx
would.

A packet is four bytes (modifier1, the size of the variables as u16, modifier2), then the variables: each key and
value preceded by its length as u16, all little-endian. The request body follows; the answer is plain HTTP/1.1
without chunking and ends where the connection ends. Source:
https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html, nginx's ngx_http_uwsgi_module.c.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from portico.errors import PorticoError, Problem
from portico.http import END, read_answer

HEADER_SIZE: Final = 4
LARGEST: Final = 0xFFFF
"""The most bytes of variables in a packet; nginx answers 400 to a request that needs more."""
_LARGEST_HEAD: Final = 72 << 10
_LARGEST_ANSWER: Final = 1 << 20
_size = struct.Struct("<H").unpack_from


class BadPacketError(ValueError):
    """The input is not a uwsgi request; the message is one line for a log."""


class AskError(PorticoError):
    """No complete answer: nothing listens, no permission, too late, cut short, or not HTTP."""


@dataclass(frozen=True)
class Answer:
    """An app's answer.

    `headers` keeps the order and the repetitions, names in lower case. `body` contains at most the requested
    `limit` of bytes.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header called `name` (in lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)


def encode(variables: Mapping[str, str]) -> bytes:
    """The packet with `variables` (latin-1); ValueError if they do not fit into LARGEST bytes."""
    parts = [part.encode("latin-1") for pair in variables.items() for part in pair]
    size = sum(len(part) + 2 for part in parts)
    if size > LARGEST:
        raise ValueError(f"the variables need {size} bytes, a uwsgi packet holds {LARGEST}")
    return struct.pack("<BHB", 0, size, 0) + b"".join(struct.pack("<H", len(p)) + p for p in parts)


def packet_size(start: bytes) -> int:
    """The length of the whole packet that begins with `start` (4 bytes or more): 4 + the variables.

    BadPacketError if no request begins like this.
    """
    if start[0] == 0:
        return HEADER_SIZE + (start[1] | start[2] << 8)
    seen = start[:16].decode("ascii", "replace").partition("\r")[0]
    raise BadPacketError(f"not a uwsgi packet (modifier1 is {start[0]}, it begins {seen!r}): is it HTTP?")


def decode(packet: bytes, variables: dict[str, str]) -> None:
    """Adds the variables of exactly one packet, header included, to `variables`.

    The values are latin-1, as PEP 3333 requires. A repeated name is joined with ", " ("; " for a cookie): nginx
    before 1.23 sends one variable for each line of a repeated header. BadPacketError if a length points outside of
    the packet, a name is empty, or the sizes do not add up.
    """
    # The hottest loop of the link, 0.4 us a variable: lengths from the bytes, text from one decoded string.
    text, at, end, count = packet.decode("latin-1"), HEADER_SIZE, len(packet), len(variables)
    try:
        while at < end:
            name = at + 2
            name_end = name + _size(packet, at)[0]
            value = name_end + 2
            at = value + _size(packet, name_end)[0]
            variables[text[name:name_end]] = text[value:at]
            count += 1
    except struct.error:
        at = end + 1
    if at != end or packet_size(packet) != end:
        raise BadPacketError(f"a uwsgi packet of {end} bytes whose lengths do not add up")
    if "" in variables:
        raise BadPacketError("a uwsgi packet with a variable that has no name")
    if count != len(variables):
        _join_repeated(packet, text, variables)


def ask(
    socket_path: str,
    path: str,
    *,
    host: str = "localhost",
    scheme: str = "http",
    method: str = "GET",
    timeout: float = 5.0,
    variables: Mapping[str, str] | None = None,
    limit: int = _LARGEST_ANSWER,
    error_limit: int = 0,
) -> Answer:
    """Asks the app that listens on the unix socket `socket_path` for `path` (with an optional query), as nginx
    would.

    `timeout` limits the whole exchange in seconds, `limit` the stored bytes of the body, at least `error_limit` for
    a status from 500 on; `variables` are added to those of the request, or replace them. Raises AskError, and
    nothing else.
    """
    ends = time.monotonic() + timeout
    try:
        packet = encode(question(path, host, scheme, method) | dict(variables or {}))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(socket_path)
            connection.sendall(packet)
            return _read_answer(connection, ends, (limit, error_limit), bodiless=method == "HEAD")
    except TimeoutError:
        raise AskError(Problem(socket_path, f"no answer to {method} {path} within {timeout:g} s")) from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise AskError(Problem(socket_path, f"no answer to {method} {path}: {what}")) from error


def _join_repeated(packet: bytes, text: str, variables: dict[str, str]) -> None:
    """Decodes again, slowly, with every value of a repeated name."""
    seen: dict[str, list[str]] = {}
    at = HEADER_SIZE
    while at < len(packet):
        name = text[at + 2 : at + 2 + _size(packet, at)[0]]
        at += 2 + len(name)
        value = text[at + 2 : at + 2 + _size(packet, at)[0]]
        at += 2 + len(value)
        seen.setdefault(name, []).append(value)
    for name, values in seen.items():
        variables[name] = ("; " if name == "HTTP_COOKIE" else ", ").join(values)


def question(path: str, host: str, scheme: str, method: str = "GET") -> dict[str, str]:
    """The variables of a request of Portico's own, as nginx would send them."""
    before, _, query = path.partition("?")
    name, _, port = host.partition(":")
    return {
        "REQUEST_METHOD": method,
        "REQUEST_URI": path,
        "PATH_INFO": unquote(before, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": scheme,
        "SERVER_NAME": name,
        "SERVER_PORT": port or ("443" if scheme == "https" else "80"),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": "portico",
    } | ({"HTTPS": "on"} if scheme == "https" else {})


def _read_answer(
    connection: socket.socket, ends: float, limits: tuple[int, int], *, bodiless: bool
) -> Answer:
    received = bytearray()
    while END not in received:
        if not (more := receive(connection, ends)):
            raise ValueError("closed without an answer" if not received else "the head of the answer is cut")
        received += more
        if len(received) > _LARGEST_HEAD and END not in received:
            raise ValueError(f"the head of the answer is longer than {_LARGEST_HEAD} bytes")
    head, _, rest = bytes(received).partition(END)
    status, reason, named = read_answer(head)
    headers = tuple((name.lower(), value) for name, value in named)
    length = next((int(value) for name, value in headers if name == "content-length"), None)
    if bodiless or status in (204, 304):
        length = 0
    if length is not None and length < 0:
        raise ValueError(f"the answer has a Content-Length of {length}")
    limit = max(limits) if status >= 500 else limits[0]
    body = _read_body(connection, ends, bytearray(rest), length, limit)
    return Answer(status, reason, headers, body)


def _read_body(
    connection: socket.socket, ends: float, body: bytearray, length: int | None, limit: int
) -> bytes:
    wanted = limit if length is None else min(length, limit)
    while len(body) < wanted:
        if not (more := receive(connection, ends)):
            if length is not None:
                raise ValueError(f"the body is cut after {len(body)} of {length} bytes")
            break
        body += more
    return bytes(body[:wanted])


def receive(connection: socket.socket, ends: float) -> bytes:
    """The next bytes. Raises TimeoutError at `ends`, which is on time.monotonic()."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(65536)
