"""What is sent: connections of one or several requests, as they should be, and as nobody should send them.

`{}` in a target stands for the case's own mark, so that no two cases ask for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple


class Case(NamedTuple):
    """The bytes of one connection. Of a `valid` one each request must be answered by the app."""

    name: str
    data: bytes
    valid: bool = False


def cases() -> list[Case]:
    """All, each with its mark."""
    found = [*_valid(), *_invalid()]
    return [
        case._replace(data=case.data.replace(b"{}", b"c%d" % number)) for number, case in enumerate(found)
    ]


def _get(path: str = "/{}", *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {path} {version}", "Host: a", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _post(body: bytes, *headers: str, path: str = "/{}", method: str = "POST") -> bytes:
    return _get(path, *headers, method=method) + body


def _sized(body: bytes, *headers: str, path: str = "/{}", method: str = "POST") -> bytes:
    return _post(body, f"Content-Length: {len(body)}", *headers, path=path, method=method)


_CHUNKED = "Transfer-Encoding: chunked"
_LAST = _get("/{}-last")
HIDDEN = _get("/hidden", "X-Request-ID: evil")


def _valid() -> Iterator[Case]:
    for name, data in _plain():
        yield Case(name, data, valid=True)
        yield Case(f"{name}, then another", data + _LAST, valid=True)
    for target in _TARGETS:
        is_valid = not any(word in target for word in ("%zz", "%00", "%2e%2e"))  # which nginx refuses
        yield Case(f"target {target[:30]}", _get(target) + _LAST, is_valid)


_TARGETS = (
    "/%2e%2e/{}",
    "//{}",
    "/a//{}",
    "/{}?a=b&c=/../d",
    "/{}/%41%2F%00?%00",
    "/{}/./../x",
    "/{}%25%32%65",
    "/{};a=b",
    "/{}?http://a/",
    "/{}/" + "x" * 3000,
    "http://a/{}",
    "http://a:80/{}?q",
    "/{}?{}|[]",
    "/{}%zz",
    "/{}%c0%ae",
)


def _plain() -> Iterator[tuple[str, bytes]]:
    yield "GET", _get()
    yield "HEAD", _get(method="HEAD")
    for method in ("OPTIONS", "DELETE", "PUT", "PATCH"):
        yield method, _sized(b"x", method=method)
    yield "GET with a body", _sized(b"a body", method="GET")
    yield "a body that is a request", _sized(HIDDEN)
    yield "a GET whose body is a request", _sized(HIDDEN, method="GET")
    yield "a body of nothing", _sized(b"")
    yield "a long body", _sized(b"0123456789abcdef" * 4096)
    yield "a body of every byte", _sized(bytes(range(256)))
    yield "a length with zeros in front", _post(b"abc", "Content-Length: 0003")
    yield "chunks", _post(b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", _CHUNKED)
    yield "no chunk", _post(b"0\r\n\r\n", _CHUNKED)
    yield "chunks that are a request", _post(b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), _CHUNKED)
    yield "chunked in capitals", _post(b"3\r\nabc\r\n0\r\n\r\n", "TRANSFER-ENCODING: CHUNKED")
    yield "a chunk's extension", _post(b'3;a=b;c="d;e"\r\nabc\r\n0;x\r\n\r\n', _CHUNKED)
    yield "a size with zeros", _post(b"0003\r\nabc\r\n000\r\n\r\n", _CHUNKED)
    yield "a size in capitals", _post(b"A\r\n0123456789\r\n0\r\n\r\n", _CHUNKED)
    yield "a trailer", _post(b"3\r\nabc\r\n0\r\nX-Trailer: y\r\nContent-Length: 99\r\n\r\n", _CHUNKED)
    yield "Expect", _sized(b"abc", "Expect: 100-continue")
    yield "Expect, chunked", _post(b"3\r\nabc\r\n0\r\n\r\n", _CHUNKED, "Expect: 100-continue")
    yield "a pipeline", b"".join(_get(f"/{{}}-{number}") for number in range(12))
    yield (
        "a pipeline of bodies",
        b"".join(_sized(b"n" * number, path=f"/{{}}-{number}") for number in range(12)),
    )
    yield "an empty value", _get("/{}", "X-Empty:", "X-Blank:   ", "X-Tab:\t")
    yield "a value with everything", _get("/{}", "X-All: !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~ \tö")
    yield "a header twice", _get("/{}", "X-Twice: a", "X-Twice: b", "Cookie: a=b", "Cookie: c=d")
    yield "a big head", _get("/{}", "X-Big: " + "x" * 6000)
    yield "many headers", _get("/{}", *(f"X-{number}: {number}" for number in range(80)))
    yield "an empty line before", b"\r\n" + _get()
    yield "TE", _get("/{}", "TE: trailers", "Connection: TE")
    yield "Content-Encoding", _sized(b"x", "Content-Encoding: chunked")


_CODINGS = (
    "Transfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding:chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "Transfer-Encoding:\r\n chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: chunked\xa0",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ,chunked",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding\x00: chunked",
    "Transfer-Encoding\xa0: chunked",
    "Transfer\xadEncoding: chunked",
    "transfer-encoding: CHUNKED",
    "Transfer-Encoding: ch\u212aunked".encode().decode("latin-1"),
    "Transfer-Encoding: 'chunked'",
    'Transfer-Encoding: "chunked"',
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\r\r\nTransfer-Encoding: chunked",
    "X\nTransfer-Encoding: chunked",
    "X: \x00\r\nTransfer-Encoding: chunked",
    " Transfer-Encoding: chunked",
    "(Transfer-Encoding: chunked",
    "Transfer-Encoding",
    "Transfer-Encoding:",
    "Transfer-Encoding: gzip, chunked",
    "Content-Encoding: chunked",
    "TE: chunked",
    "",
)
_LENGTHS = (
    "Content-Length: {0}",
    "Content-Length: +{0}",
    "Content-Length: -{0}",
    "Content-Length: 0{0}",
    "Content-Length: 0x{0:x}",
    "Content-Length: {0:x}h",
    "Content-Length: {0}, {0}",
    "Content-Length: {0},",
    "Content-Length: {0} 0",
    "Content-Length: {0}\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: {0}",
    "Content-Length: {0}\r\nContent-Length: {0}",
    "Content-Length : {0}",
    "Content_Length: {0}",
    "Content-Length\x00: {0}",
    "Content-Length:\r\n {0}",
    "Content-Length: {0} ",
    "Content-Length: {0}\x0b",
    "Content-Length: {0}.0",
    "Content-Length: {0}e0",
    "Content-Length: 1_0",
    "Content-Length: \xb2",
    "Content-Length: \xd9\xa5",
    "Content-Length: 18446744073709551616",
    "Content-Length: 99999999999999999999999999999999",
    "Content-Length:",
    "Content-Length",
    "content-length: {0}",
    "",
)
_ENDS = (
    b"0\n\n",
    b"0\n\r\n",
    b"0\r\n\n",
    b"0\r\r\n\r\n",
    b"00\r\n\r\n",
    b"0 \r\n\r\n",
    b" 0\r\n\r\n",
    b"\t0\r\n\r\n",
    b"-0\r\n\r\n",
    b"+0\r\n\r\n",
    b"0x0\r\n\r\n",
    b"0_0\r\n\r\n",
    b"0;a\nb\r\n\r\n",
    b"0;a\rb\r\n\r\n",
    b"0;\x00\r\n\r\n",
    b"1\r\nZ\r\n0\r\n\r\n",
    b"1\nZ\n0\r\n\r\n",
    b"1\r\nZ\r0\r\n\r\n",
    b"1\r\nZZ0\r\n\r\n",
    b"1\r\nZZZ0\r\n\r\n",
    b"2\r\nZ\r\n0\r\n\r\n",
    b"1 ; x\r\nZ\r\n0\r\n\r\n",
    b"1 x\r\nZ\r\n0\r\n\r\n",
    b"1;\r\nZ\r\n0\r\n\r\n",
    b"1;x\nZ\r\n0\r\n\r\n",
    b"g\r\nZ\r\n0\r\n\r\n",
    b"\r\nZ\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"ffffffffffffffff\r\nZ\r\n0\r\n\r\n",
    b"10000000000000001\r\nZ\r\n0\r\n\r\n",
    b"8000000000000000\r\nZ\r\n0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"0\r\nX: y\n\n",
    b"0\r\n X\r\n\r\n",
    b"0\r\n:\r\n\r\n",
    b"0\r\nX\x00: y\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\n",
    b"3\r\nab",
    b"",
)
_LINES = (
    b"GET /{}\r\n",
    b"GET  /{}  HTTP/1.1 \r\nHost: a\r\n\r\n",
    b"GET\t/{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\tHTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\x0bHTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{} b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\r HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.1\nHost: a\n\n",
    b"GET /{} HTTP/1.1\r\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.1\rHost: a\r\r",
    b"get /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"G\xc3\x8bT /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.1x\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.2\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.01\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/01.1\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/0.9\r\nHost: a\r\n\r\n",
    b"GET /{} http/1.1\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1\r\nHost: a\r\n\r\n",
    b"GET /{} HTTP/1.0\r\n\r\n",
    b"GET /{} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
    b"GET /{} HTTP/1.1\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n",
    b"GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http:///{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a?{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://b@a/{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}#x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\xff\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /{}\\..\\x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"TRACE /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade\r\n\r\n",
    b"GET /{} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"\n\n\r\n\nGET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x00GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
)
_HEADERS = (
    "X-A : b",
    "X-A\t: b",
    "X_A: b",
    "X A: b",
    "X-A",
    ": b",
    "X(A: b",
    "X-\xe4: b",
    "X-A: \x00",
    "X-A: b\rX-B: c",
    "X-A: b\nX-B: c",
    "X-A: b\r\n c",
    "X-A: b\r\n\tc",
    "X-A: b\x0bX-B: c",
    "X-A: b\x85X-B: c",
    "X-A: \x7f",
    "X-A: b\x1c\x1d\x1e",
    "X-Request-ID: evil",
    "X-Forwarded-For: 6.6.6.6",
    "Content-Length: 0",
    "Connection: Content-Length",
    "Connection: close, Host",
    "Keep-Alive: timeout=0",
    "Expect: 200-ok",
    "Upgrade: TLS/1.0",
    "Max-Forwards: 0",
    "X-HTTP-Method-Override: DELETE",
    "Proxy-Connection: close",
    "Trailer: Content-Length",
)


def _invalid() -> Iterator[Case]:
    for coding, length in product(_CODINGS, _LENGTHS):
        yield Case(f"{coding!r} {length!r}", _both(coding, length, b"0\r\n\r\n"))
    for coding, size in product(_CODINGS, (4, 5, 6)):
        data = _post(b"5\r\nabcde\r\n0\r\n\r\n", coding, f"Content-Length: {size}")
        yield Case(f"{coding!r}, length {size}", data + HIDDEN)
    for end in _ENDS:
        yield Case(f"chunk {end!r}", _post(end, _CHUNKED) + HIDDEN)
        yield Case(f"chunk {end!r} and no more", _post(end, _CHUNKED))
    for line in _LINES:
        yield Case(f"line {line!r}", line + HIDDEN)
    for header in _HEADERS:
        yield Case(f"header {header!r}", _get("/{}", header) + HIDDEN)
        yield Case(f"header {header!r} with a body", _sized(HIDDEN, header) + _LAST)
    yield Case("a body that is too short", _post(b"ab", "Content-Length: 3"))
    yield Case("a head without an end", b"GET /{} HTTP/1.1\r\nHost: a\r\n")
    yield Case("a head beyond every bound", _get("/{}", "X-Big: " + "x" * 70_000) + HIDDEN)
    yield Case("the longest body", _post(b"", "Content-Length: 9223372036854775807") + HIDDEN)
    yield Case("a body beyond every bound", _post(b"", "Content-Length: 999999999") + HIDDEN)


def _both(coding: str, length: str, end: bytes) -> bytes:
    """A request whose body is one by its coding, and holds another request by its length."""
    body = end + HIDDEN
    return _post(body, *filter(None, (coding, length.format(len(body)))))
