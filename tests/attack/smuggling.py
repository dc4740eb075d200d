"""A stranger hides one request in another: what the app is called with is what nginx has read, once each."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.attack.target import Target

_CODINGS = (
    "Transfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding\x00: chunked",
    "transfer-encoding: CHUNKED",
    "Transfer-Encoding: 'chunked'",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "Content-Encoding: chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "TE: chunked",
)
_LENGTHS = (
    "Content-Length: {}",
    "Content-Length: +{}",
    "Content-Length: 0{}",
    "Content-Length: {}, {}",
    "Content-Length: {}\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: {}",
    "Content-Length : {}",
    "Content_Length: {}",
    "Content-Length: 0x{}",
    "Content-Length: -{}",
    "Content-Length:\r\n {}",
    "Content-Length: {} ",
    "Content-Length: {}\x0b",
    "Content-Length: {}.0",
    "content-length: {}",
    "",
)
_CHUNKS = (
    "0\r\n\r\n",
    "0\n\n",
    "00\r\n\r\n",
    "0;a=b\r\n\r\n",
    "0 \r\n\r\n",
    "-0\r\n\r\n",
    "0x0\r\n\r\n",
    "1\r\nZ\r\n0\r\n\r\n",
    "1\r\nZZ0\r\n\r\n",
    "fffffffffffffffff\r\n",
    "0\r\nX: y\r\n\r\n",
    "1 ; x\nZ\r\n0\r\n\r\n",
)


def attack(target: Target) -> Iterator[tuple[str, str]]:
    """(case, finding or "") for each pair of codings and lengths, and for each end of a chunked body."""
    cases = list(_cases())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda case: _send(target, case[1]), cases))
    target.run.get("/the-last")
    logged = target.logged({"/the-last"})
    calls = [(uri, identity) for uri, identity in target.calls() if uri != "/"]  # "/": health checks
    unknown = {identity for _, identity in calls if identity not in logged}
    twice = {identity for identity, count in Counter(identity for _, identity in calls).items() if count > 1}
    wrong = {identity for uri, identity in calls if identity in logged and logged[identity] != uri}
    for name, request in cases:
        mark = request.partition(b" ")[2].partition(b" ")[0].decode()
        hidden = [uri for uri, identity in calls if mark[1:] in uri and identity in unknown | twice | wrong]
        yield name, f"the app was called with {hidden}, which nginx did not read" if hidden else ""
    stray = [uri for uri, identity in calls if identity in unknown]
    yield "every call is one that nginx has read", f"strays: {stray[:5]}" if stray else ""


def _cases() -> Iterator[tuple[str, bytes]]:
    number = 0
    for coding in _CODINGS:
        for length in _LENGTHS:
            number += 1
            yield f"{coding!r} {length!r}", _request(number, coding, length, "0\r\n\r\n")
    for end in _CHUNKS:
        number += 1
        yield f"chunk {end!r}", _request(number, _CODINGS[0], "", end)


def _request(number: int, coding: str, length: str, end: str) -> bytes:
    hidden = f"GET /hidden-{number} HTTP/1.1\r\nHost: evil.example\r\nX-Request-ID: evil-{number}\r\n\r\n"
    for_both = end + hidden
    sized = length.format(len(for_both), len(for_both))
    lines = [f"POST /smuggle-{number} HTTP/1.1", "Host: a", *filter(None, (coding, sized)), "", for_both]
    return "\r\n".join(lines).encode("latin-1")


def _send(target: Target, request: bytes) -> None:
    """Send, wait a moment for an answer, and go: a request that nginx still waits for ends so."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", target.run.port), 2) as connection:
        connection.settimeout(0.4)
        connection.sendall(request)
        while connection.recv(65536):
            pass
