"""The same over HTTP/2, frame by frame: what its library would never send, and what nginx makes of it for the app."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import NamedTuple

from hpack import Decoder, Encoder

from tests.attack.smuggling.compare import Connection, findings
from tests.attack.smuggling.judge import Line, ascii_of
from tests.attack.smuggling.reading import Read
from tests.attack.smuggling.sending import Told, everybody, secure
from tests.attack.target import Target

Header = tuple[bytes, bytes]
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_BAD = re.compile(rb"[\x00-\x20\x7f-\xff]")
_BAD_NAME = re.compile(rb"^$|[\x00-\x20:A-Z\x7f]")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_PSEUDO = (b":method", b":scheme", b":path", b":authority")
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\nX-Request-ID: evil\r\n\r\n"


class Stream(NamedTuple):
    """One request: headers, the payload of each DATA frame, trailers."""

    headers: tuple[Header, ...]
    data: tuple[bytes, ...] = ()
    trailers: tuple[Header, ...] = ()


class Case(NamedTuple):
    """The streams of one connection, each sent when the one before is answered."""

    name: str
    streams: tuple[Stream, ...]
    valid: bool = False


def strict(stream: Stream) -> Read | None:
    """The request, None when it is malformed: RFC 9113, 8.1 to 8.3.

    Tolerated, since they move no border: pseudo-headers behind others, blanks around a value, names with other
    letters (nginx leaves those headers out), and headers of connections; of a coding the app may then be told nothing.
    """
    pseudo = [name for name, _ in stream.headers if name.startswith(b":")]
    named = dict(stream.headers)
    plain = [(name, value) for name, value in stream.headers if not name.startswith(b":")]
    method, path, body = named.get(b":method", b""), named.get(b":path", b""), b"".join(stream.data)
    if sorted(pseudo) not in (sorted(_PSEUDO), sorted(_PSEUDO[:3])):
        return None
    if (
        _BAD.search(method)
        or not method
        or not (path.startswith(b"/") or (method, path) == (b"OPTIONS", b"*"))
    ):
        return None
    if _BAD.search(named.get(b":scheme", b"")) or re.search(rb"[\x00-\x20\x7f]", path):
        return None
    if any(
        _BAD_NAME.search(name) or re.search(rb"[\x00\n\r]", value)
        for name, value in (*plain, *stream.trailers)
    ):
        return None
    lengths = [value.strip(b" \t") for name, value in plain if name == b"content-length"]
    if any(not one.isdigit() or int(one) != len(body) for one in lengths):
        return None
    if len({value.lower() for name, value in plain if name == b"host"}) > 1:
        return None
    told = ((name, value) for name, value in plain if _NAME.fullmatch(name) and name != b"transfer-encoding")
    return Read(method, path, tuple(told), body, None)


class Streams:
    """The requests of one connection; of one that is malformed nginx may log a line or not."""

    def __init__(self, case: Case) -> None:
        self._left = [read for stream in case.streams if (read := strict(stream))]

    def take(self, line: Line, *, is_passed: bool) -> Read | None:
        for at, one in enumerate(self._left):
            if ascii_of(str(line["uri"])) == ascii_of(one.path.decode("latin-1")):
                return self._left.pop(at)
        return None

    def rest(self) -> Sequence[Read]:
        return self._left


def compared(target: Target, asked: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """(case, finding or "")."""
    numbered = list(zip(target.addresses(len(asked)), asked, strict=True))
    told = everybody(numbered, lambda one: _ask(target.secure, one[0], one[1]))
    yield from findings(
        target,
        [
            Connection(case.name, Streams(case), one, case.valid)
            for case, one in zip(asked, told, strict=True)
        ],
    )


def _ask(port: int, source: str, case: Case) -> Told:
    ids, is_waiting = list[str](), False
    with suppress(ConnectionError, EOFError), secure(port, source) as connection:
        encoder, decoder, stream = Encoder(), Decoder(), connection.makefile("rb")
        connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        for number, one in enumerate(case.streams):
            connection.sendall(b"".join(_frames(2 * number + 1, one, encoder)))
            try:
                ids += _answer(stream, decoder, 2 * number + 1)
            except TimeoutError:
                is_waiting = True
                break
    return Told(source, ids, is_waiting)


def _frames(number: int, stream: Stream, encoder: Encoder) -> Iterator[bytes]:
    is_last = not stream.data and not stream.trailers
    yield _frame(_HEADERS, _END_HEADERS | is_last * _END_STREAM, number, _block(encoder, stream.headers))
    for at, data in enumerate(stream.data):
        is_last = at == len(stream.data) - 1 and not stream.trailers
        yield _frame(_DATA, is_last * _END_STREAM, number, data)
    if stream.trailers:
        yield _frame(_HEADERS, _END_HEADERS | _END_STREAM, number, _block(encoder, stream.trailers))


def _block(encoder: Encoder, headers: Sequence[Header]) -> bytes:
    return bytes(encoder.encode([(name, value, True) for name, value in headers], huffman=False))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _answer(stream: object, decoder: Decoder, number: int) -> list[str]:
    """The ids of answers until this stream ends. Raises EOFError when the connection does."""
    ids = list[str]()
    while True:
        head = stream.read(9)  # type: ignore[attr-defined]
        if len(head) < 9:
            raise EOFError
        size, kind, flags, of = (
            int.from_bytes(head[:3], "big"),
            head[3],
            head[4],
            int.from_bytes(head[5:], "big"),
        )
        payload = stream.read(size)  # type: ignore[attr-defined]
        if kind == _HEADERS:
            ids += [str(value) for name, value in decoder.decode(payload) if str(name) == "x-request-id"]
        is_end = kind == _RESET or (kind in (_HEADERS, _DATA) and flags & _END_STREAM)
        if kind == _GOAWAY or (of == number and is_end):
            return ids


def _head(path: bytes = b"/{}", method: bytes = b"GET", *more: Header) -> tuple[Header, ...]:
    return (
        (b":method", method),
        (b":scheme", b"https"),
        (b":path", path),
        (b":authority", b"localhost"),
        *more,
    )


def cases() -> list[Case]:
    """All, each with its mark, and each followed by an ordinary request on the same connection."""
    last = Stream(_head(b"/{}-last"))
    found = [Case(name, (one, last), valid=True) for name, one in _valid()]
    found += [Case(name, (one, last)) for name, one in _invalid()]
    return [_marked(case, b"h%d" % number) for number, case in enumerate(found)]


def _marked(case: Case, mark: bytes) -> Case:
    streams = [
        one._replace(headers=tuple((name, value.replace(b"{}", mark)) for name, value in one.headers))
        for one in case.streams
    ]
    return case._replace(streams=tuple(streams))


def _post(data: bytes, *more: Header) -> Stream:
    return Stream(_head(b"/{}", b"POST", *more), (data,))


def _valid() -> Iterator[tuple[str, Stream]]:
    yield "GET", Stream(_head())
    yield "HEAD", Stream(_head(method=b"HEAD"))
    yield "POST", _post(b"abc", (b"content-length", b"3"))
    yield "POST without a length", _post(b"abc")
    yield "a body in frames", Stream(_head(b"/{}", b"POST"), (b"a", b"", b"bc", b"d" * 9000))
    yield "a body that is a request", _post(HIDDEN)
    yield "a GET whose body is a request", Stream(_head(), (HIDDEN,))
    yield "a body that is chunks", _post(b"0\r\n\r\n" + HIDDEN)
    yield "an empty body", _post(b"")
    yield "te", Stream(_head(b"/{}", b"GET", (b"te", b"trailers")))
    yield "cookies", Stream(_head(b"/{}", b"GET", (b"cookie", b"a=b"), (b"cookie", b"c=d")))
    yield "an empty value", Stream(_head(b"/{}", b"GET", (b"x-empty", b"")))
    for path in (b"//{}", b"/{}?a=/../b", b"/{}%25%32%65", b"/{}/./../x", b"/{};a=b"):
        yield f"path {path!r}", Stream(_head(path))


_LENGTHS = (
    b"0", b"2", b"4", b"+3", b"-3", b"03", b"0x3", b"3.0", b"3,3", b"3 3", b"3 ", b" 3", b"", b"\xd9\xa3", b"3\r\n",
    b"18446744073709551619", b"9223372036854775807", b"99999999999999999999999999",
)  # fmt: skip
_PATHS = (
    b"", b"{}", b"*", b"https://localhost/{}", b"/{} HTTP/1.1", b"/{} x", b"/{}\r\nX: y", b"/{}\n", b"/{}\x00",
    b"/{}\t", b"/{}\r\n\r\nGET /hidden HTTP/1.1",
    b"/{}#x", b"/{}\xff", b"/{}\x7f", b"//{}/../..", b"/../{}", b" /{}", b"\\{}",
    b"/{} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
)  # fmt: skip
_METHODS = (
    b"", b"get", b"GET ", b" GET", b"GET /hidden HTTP/1.1\r\nX:", b"G\x00T", b"GET\r\n", b"CONNECT", b"TRACE", b"PRI",
    b"GET\t", b"G\xc3\x8bT", b"POST\n\nGET",
)  # fmt: skip
_FIELDS: tuple[Header, ...] = (
    (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"Transfer-Encoding", b"chunked"),
    (b"te", b"chunked"), (b"te", b"gzip, trailers"), (b"connection", b"close"), (b"connection", b"content-length"),
    (b"keep-alive", b"timeout=1"), (b"proxy-connection", b"x"), (b"upgrade", b"h2c"), (b"upgrade", b"websocket"),
    (b"x", b"y\r\nTransfer-Encoding: chunked"), (b"x", b"y\r\n\r\n" + HIDDEN), (b"x", b"y\nContent-Length: 0"),
    (b"x", b"y\rz"), (b"x", b"y\x00z"), (b"x", b"\x0b"), (b"x", b"\x7f"), (b"x", b" y "), (b"x", b"\ty\t"),
    (b"x", b"\xe4\xff\x85"),
    (b"X-A", b"y"), (b"x a", b"y"), (b"x\r\ny", b"z"), (b"x:y", b"z"), (b"x: y\r\nTransfer-Encoding", b"chunked"),
    (b"x\x00", b"y"), (b"", b"y"), (b":", b"y"), (b"x_a", b"y"), (b"content_length", b"0"),
    (b"transfer_encoding", b"x"),
    (b"x\xe4", b"y"), (b"content-length ", b"0"), (b" content-length", b"0"), (b":protocol", b"websocket"),
    (b":status", b"200"), (b":unknown", b"x"), (b":path", b"/{}-other"), (b":method", b"POST"), (b":authority", b"b"),
    (b":scheme", b"http"), (b"host", b"b"), (b"host", b"localhost"), (b"x-request-id", b"evil"),
    (b"expect", b"100-continue"),
    (b"content-length", b"0"), (b"content-length", b"5"), (b"http2-settings", b"AAMAAABk"),
    (b"trailer", b"content-length"),
)  # fmt: skip


def _invalid() -> Iterator[tuple[str, Stream]]:
    """With some that are valid and that nginx does not take, such as trailers."""
    for length in _LENGTHS:
        yield f"content-length {length!r} of 3", _post(b"abc", (b"content-length", length))
        yield (
            f"content-length {length!r}, no body",
            Stream(_head(b"/{}", b"POST", (b"content-length", length))),
        )
    yield "two lengths", _post(b"abc", (b"content-length", b"3"), (b"content-length", b"0"))
    yield "the length twice", _post(b"abc", (b"content-length", b"3"), (b"content-length", b"3"))
    yield "a length that hides", _post(b"0\r\n\r\n" + HIDDEN, (b"content-length", b"5"))
    yield from ((f"path {path!r}", Stream(_head(path))) for path in _PATHS)
    yield from ((f"method {method!r}", Stream(_head(b"/{}", method))) for method in _METHODS)
    for name, value in _FIELDS:
        yield f"{name!r}: {value!r}", Stream(_head(b"/{}", b"GET", (name, value)))
        yield f"{name!r}: {value!r} with a body", _post(b"0\r\n\r\n" + HIDDEN, (name, value))
        yield f"{name!r}: {value!r} as a trailer", Stream(_head(b"/{}", b"POST"), (b"abc",), ((name, value),))
    whole = _head()
    for name in _PSEUDO:
        yield f"no {name!r}", Stream(tuple(one for one in whole if one[0] != name))
        yield f"{name!r} twice", Stream((*whole, *(one for one in whole if one[0] == name)))
        moved = [one for one in whole if one[0] == name]
        yield f"{name!r} behind", Stream((*(one for one in whole if one[0] != name), (b"x", b"y"), *moved))
    for value in (b"https://a/?", b"http\r\nx: y", b"", b"https /hidden HTTP/1.1", b"HTTPS", b"file"):
        yield f"scheme {value!r}", Stream(tuple((n, value if n == b":scheme" else v) for n, v in whole))
    for value in (b"a\r\nx: y", b"a b", b"a/b", b"a:80:80", b"", b"a@b", b"\x00", b"b, a", b"a?x", b"a#x"):
        yield f"authority {value!r}", Stream(tuple((n, value if n == b":authority" else v) for n, v in whole))


_PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b"_",
    b"\xff",
    b"0",
    b"A",
    b"\r\n\r\n",
    b"/",
    b"?",
    b"#",
    b"%",
)


def mutations(seed: int, count: int) -> Iterator[Case]:
    """So many cases, one to three changes away from one of the corpus."""
    known, chance = cases(), Random(seed)
    for number in range(count):
        origin = chance.choice(known)
        streams = list(origin.streams)
        for _ in range(chance.randint(1, 3)):
            streams[0] = _changed(streams[0], chance)
        yield Case(f"seed {seed} number {number} of {origin.name}", tuple(streams))


def _changed(stream: Stream, chance: Random) -> Stream:
    headers, kind = list(stream.headers), chance.randrange(7)
    at = chance.randrange(len(headers)) if headers else 0
    if kind == 0:
        name, value = chance.choice(_FIELDS)
        headers.insert(chance.randint(0, len(headers)), (name, value.replace(b"{}", b"m")))
    elif kind == 1 and headers:
        headers[at] = headers[at][0], _inserted(headers[at][1], chance)
    elif kind == 2 and headers:
        headers[at] = _inserted(headers[at][0], chance), headers[at][1]
    elif kind == 3 and len(headers) > 1:
        del headers[at]
    elif kind == 4 and headers:
        headers.insert(chance.randint(0, len(headers)), headers[at])
    elif kind == 5:
        data = (*stream.data, chance.choice((b"", b"x", HIDDEN, b"0\r\n\r\n")))
        return stream._replace(data=data)
    else:
        length = sum(map(len, stream.data)) + chance.choice((-1, 0, 0, 1))
        headers.append((b"content-length", b"%d" % max(0, length)))
    return stream._replace(headers=tuple(headers))


def _inserted(value: bytes, chance: Random) -> bytes:
    at = chance.randint(0, len(value))
    return value[:at] + chance.choice(_PIECES) + value[at:]
