"""What a strict reader of HTTP/1.1 makes of the bytes of one connection: RFC 9112, byte by byte.

It says of each request where it begins and ends. It is never more tolerant than the RFC, but for what nginx is known
to take and what moves no border between two requests; each such place is marked "tolerated". To refuse is always
allowed, so a reader has not to say *why* something is wrong. Apache httpd takes more (`is_httpd`): folded lines, which
it unfolds (RFC 9112, 5.2), any HTTP/2 as the version, and the next request behind a CONNECT or TRACE that it refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(rb"HTTP/1\.(\d{1,2})")
"""Two digits behind the point are tolerated: nginx reads `HTTP/1.01` as 1.1."""
_VERSION_OF_HTTPD = re.compile(rb"HTTP/[12]\.\d")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_IN_VALUES = re.compile(rb"[\x00\n\r]")
"""Other control characters may be retained (RFC 9110, 5.5)."""
_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:[ ;][^\r\n]*)?\r?")
"""Any byte in an extension is tolerated, and one that begins with a blank."""
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_MOST = 2**63 - 1


class End(Enum):
    """Why no request begins here."""

    NOTHING = "nothing is left"
    WAITING = "the bytes end before the request does"
    REFUSED = "it is no request of HTTP/1.1"
    CLOSED = "the connection ends behind the request before"


@dataclass(frozen=True)
class Read:
    """One request. `then` is where the next one may begin, None where the connection ends."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    then: int | None

    @property
    def path(self) -> bytes:
        """The target as nginx and the app name it: without a scheme and a host in front."""
        rest = _ABSOLUTE.sub(b"", self.target, count=1) if not self.target.startswith(b"/") else self.target
        return rest if rest.startswith((b"/", b"*")) else b"/" + rest


class _RefusedError(Exception):
    pass


class _WaitingError(Exception):
    pass


def read(data: bytes, at: int | None, *, is_httpd: bool = False) -> Read | End:
    """The request that begins at this byte."""
    if at is None:
        return End.CLOSED
    while data[at : at + 1] in (b"\r", b"\n"):  # tolerated: any number of empty lines
        at += 1
    if at == len(data):
        return End.NOTHING
    try:
        return _request(data, at, is_httpd=is_httpd)
    except _RefusedError:
        return End.REFUSED
    except _WaitingError:
        return End.WAITING


def requests(data: bytes, at: int | None = 0, *, is_httpd: bool = False) -> tuple[list[Read], End]:
    """All that begin behind this byte, and why there are no more."""
    found = list[Read]()
    while True:
        one = read(data, at, is_httpd=is_httpd)
        if isinstance(one, End):
            return found, one
        found.append(one)
        at = one.then


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """A line without its end. A line feed alone ends it, too: a recipient may take it so (RFC 9112, 2.2).

    It may take a lone carriage return for a blank; a blank before the end of a line means nothing.
    """
    end = data.find(b"\n", at)
    if end < 0:
        raise _WaitingError
    return data[at:end].rstrip(b"\r"), end + 1


def _request(data: bytes, at: int, *, is_httpd: bool) -> Read:
    line, at = _line(data, at)
    words = [word for word in line.rstrip(b" ").split(b" ") if word]  # tolerated: more than one blank
    if _CONTROLS.search(line) or b"\t" in line or not 2 <= len(words) <= 3 or not _TOKEN.fullmatch(words[0]):
        raise _RefusedError
    method, target = words[:2]
    if not _is_target(method, target) and not (is_httpd and method == b"CONNECT"):
        raise _RefusedError
    if len(words) == 2:
        if method != b"GET":
            raise _RefusedError
        return Read(method, target, (), b"", None)  # HTTP/0.9
    version = (_VERSION_OF_HTTPD if is_httpd else _VERSION).fullmatch(words[2])
    if not version or (method in (b"CONNECT", b"TRACE") and not is_httpd):
        raise _RefusedError
    is_new = words[2] >= b"HTTP/1.1" if is_httpd else int(version[1]) >= 1
    headers, at = _headers(data, at, unfolds=is_httpd)
    if is_new and len(_values(headers, b"host")) != 1:
        raise _RefusedError
    body, at, closes = _body(data, at, headers, is_new=is_new)
    words = [word.strip().lower() for value in _values(headers, b"connection") for word in value.split(b",")]
    closes = closes or b"close" in words or not (is_new or b"keep-alive" in words)
    return Read(method, target, headers, body, None if closes else at)


def _is_target(method: bytes, target: bytes) -> bool:
    return target.startswith(b"/") or bool(_ABSOLUTE.match(target)) or (method, target) == (b"OPTIONS", b"*")


def _headers(data: bytes, at: int, *, unfolds: bool) -> tuple[tuple[tuple[bytes, bytes], ...], int]:
    found = list[tuple[bytes, bytes]]()
    while True:
        line, at = _line(data, at)
        if not line:
            return tuple(found), at
        while unfolds and data[at : at + 1] in (b" ", b"\t"):
            more, at = _line(data, at)
            line = line.rstrip(b" \t") + b" " + more.strip(b" \t")
        if line[:1] in b" \t":
            raise _RefusedError  # a folded line: a server may refuse it, and nginx does
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if _IN_VALUES.search(value) or _CONTROLS.search(name) or b" " in name or b"\t" in name or not name:
            raise _RefusedError
        if not colon and name.lower() in (b"content-length", b"transfer-encoding", b"host"):
            raise _RefusedError
        if colon and _TOKEN.fullmatch(name):  # tolerated: a line with no colon, or with no name, is left out
            found.append((name, value))


def _values(headers: tuple[tuple[bytes, bytes], ...], name: bytes) -> list[bytes]:
    return [value for one, value in headers if one.lower() == name]


def _body(
    data: bytes, at: int, headers: tuple[tuple[bytes, bytes], ...], *, is_new: bool
) -> tuple[bytes, int, bool]:
    """The body, where it ends, and whether the connection does, too."""
    codings, lengths = _values(headers, b"transfer-encoding"), _values(headers, b"content-length")
    if codings:
        if not is_new or [value.lower() for value in codings] != [b"chunked"]:
            raise _RefusedError
        body, at = _chunks(data, at)
        return body, at, bool(lengths)
    if not lengths:
        return b"", at, False
    numbers = {number.strip(b" \t") for value in lengths for number in value.split(b",")}
    if len(numbers) != 1 or not (text := numbers.pop()).isdigit() or int(text) > _MOST:
        raise _RefusedError
    if at + int(text) > len(data):
        raise _WaitingError
    return data[at : at + int(text)], at + int(text), False


def _chunks(data: bytes, at: int) -> tuple[bytes, int]:
    body = b""
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            raise _WaitingError
        line = _SIZE.fullmatch(data[at:end])
        if not line or (size := int(line[1], 16)) > _MOST:
            raise _RefusedError
        at = end + 1
        if size == 0:
            return body, _trailers(data, at)
        if at + size > len(data):
            raise _WaitingError
        body, at = body + data[at : at + size], at + size
        at += 2 if data[at : at + 2] == b"\r\n" else 1 if data[at : at + 1] == b"\n" else 0
        if data[at - 1 : at] != b"\n":
            raise _WaitingError if data[at : at + 2] in (b"", b"\r") else _RefusedError


def _trailers(data: bytes, at: int) -> int:
    while True:
        line, at = _line(data, at)
        if not line:
            return at
