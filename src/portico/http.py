"""The part of HTTP/1.1 that Portico itself needs: heads of requests and of answers, written and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

END = b"\r\n\r\n"
"""The most bytes of a head."""
_SHOWN = 60

METHODS = frozenset({
    "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LABEL",
    "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "OPTIONS",
    "ORDERPATCH", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH",
    "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
})  # fmt: skip
"""Those of https://www.iana.org/assignments/http-methods, and PURGE, which many caches use."""

Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """`headers` by lower-case name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        """The Host without its port."""
        host = self.headers.get("host", "")
        name, colon, port = host.rpartition(":")
        return name if colon and port.isdigit() else host


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    return _head(f"{method} {target} HTTP/1.1", headers)


def answer_head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """`status` is the code and its words: `200 OK`."""
    return _head(f"HTTP/1.1 {status}", headers)


def read_request(head: bytes) -> Request:
    """Raises ValueError."""
    first, headers = _read(head)
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    return Request(method, path, query, {name.lower(): value for name, value in headers})


def read_answer(head: bytes) -> tuple[int, str, Headers]:
    """The status, its reason, and the headers. Raises ValueError with a message for people."""
    first, headers = _read(head)
    if not first:
        raise ValueError("closed without an answer")
    version, _, rest = first.partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isdecimal():
        raise ValueError(f"not an HTTP answer, it begins {first[:_SHOWN]!r}")
    return int(code), reason, headers


def _head(first: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def _read(head: bytes) -> tuple[str, Headers]:
    first, *lines = head.rstrip(b"\r\n").decode("latin-1").split("\r\n")
    return first, tuple(
        (name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)
    )
