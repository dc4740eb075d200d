"""Do client, nginx and app agree with a strict reader: how many requests has a connection, which, with which bodies?"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote

from tests.attack.apps import Call
from tests.attack.smuggling.reading import Read
from tests.attack.smuggling.sending import Told
from tests.attack.target import NAMELESS

Line = Mapping[str, object]
_NOT_CALLED = (400, 414, 426, 431, 499, 502, 504)
"""Statuses of requests that reached the app server, and not the app: it refused them, or the client left."""
_LEFT = (400, 408, 499)
"""Statuses of lines whose clients got no answer."""
_PLAIN = "/:@!$&'()*+,;=~"
"""What stands in a path as it is (RFC 3986 3.3)."""
_GATEWAY_S = {
    "HOST",
    "CONNECTION",
    "X_REQUEST_ID",
    "X_REAL_IP",
    "TRACEPARENT",
    "CONTENT_LENGTH",
    "MAX_FORWARDS",
}
_GATEWAY_BEGINS = ("X_FORWARDED", "X_PORTICO", "X_SCHEME")
"""Headers that the gateway writes to the app; httpd counts Max-Forwards down."""


class Sent(Protocol):
    """The requests of one connection, as a strict reader finds them."""

    def take(self, line: Line, *, is_passed: bool) -> Read | None:
        """The request that this line of nginx's log is about; None when there is none."""

    def rest(self) -> Sequence[Read]:
        """Those that no line was about."""


class Seen(NamedTuple):
    """One connection: what the client sent and saw, nginx's lines of it in order, and the app's calls by id."""

    sent: Sent
    told: Told
    lines: Sequence[Line]
    calls: Mapping[str, Sequence[Call]]
    valid: bool
    streams: bool = False
    """Whether the gateway passes a request on while it comes, so that one which ends too early is passed on, too."""


def disagreements(seen: Seen) -> Iterator[str]:
    """Nothing where everybody agrees."""
    for line in seen.lines:
        if line["id"] == NAMELESS:
            continue
        calls = seen.calls.get(str(line["id"]), ())
        is_passed = bool(line["upstream"] or calls)
        one = seen.sent.take(line, is_passed=is_passed)
        if is_passed and one is None:
            if seen.streams and not calls:
                continue
            yield f"nginx passed {line['method']} {line['uri']} to the app: there is no such request"
        elif is_passed and one is not None:
            yield from _differing(one, line, calls, passes_odd=seen.streams)
        elif seen.valid:
            yield f"{line['method']} {line['uri']} is valid, and was refused: {line['status']}"
    if seen.told.is_waiting:
        yield "nginx waits for more, where the request is complete"
    if seen.valid:
        yield from (
            f"nobody read {one.method!r} {one.target[:60]!r}, which is valid" for one in seen.sent.rest()
        )
    yield from _ids(seen)


def _differing(one: Read, line: Line, calls: Sequence[Call], *, passes_odd: bool) -> Iterator[str]:
    expected = f"{one.method.decode('latin-1')} {one.path.decode('latin-1')}"
    if ascii_of(said := f"{line['method']} {_rooted(str(line['uri']))}") != ascii_of(expected):
        yield f"nginx read {said!r} where {expected!r} was sent, status {line['status']}"
    if not calls and line["status"] not in _NOT_CALLED:
        yield f"the app was not called for {expected!r}, status {line['status']}"
    for call in calls:
        if (told := f"{call.method} {_rooted(call.uri)}") not in (expected, _judged(expected)):
            yield f"the app was told {told!r} where {expected!r} was sent"
        if call.body != digest(one.body):
            yield f"the app read {call.length} bytes of {expected!r} where {len(one.body)} were sent, or others"
        yield from _strange_headers(one, call, passes_odd=passes_odd)


def _judged(request: str) -> str:
    """As the ASGI worker tells it where nginx has judged another path: without segments of dots and fragments."""
    path, mark, query = request.partition("?")
    method, _, path = path.partition("#")[0].partition(" ")
    kept: list[str] = []
    for segment in unquote(path, "latin-1").split("/"):
        if segment == "..":
            kept = kept[:-1] if len(kept) > 1 else kept
        elif segment != ".":
            kept.append(segment)
    if segment in (".", ".."):
        kept.append("")
    return f"{method} {quote('/'.join(kept), _PLAIN, 'latin-1')}{mark}{query}"


def _rooted(uri: str) -> str:
    """`http://a?b` and `http://a/?b` are the same (RFC 9110, 4.2.3)."""
    return f"/{uri}" if uri.startswith("?") else uri


def ascii_of(text: str) -> str:
    """Up to the first other byte: nginx writes no JSON that is not UTF-8."""
    return re.split(r"[^\x00-\x7f]", text, maxsplit=1)[0]


def _strange_headers(one: Read, call: Call, *, passes_odd: bool) -> Iterator[str]:
    """httpd passes names with an underscore to HTTP servers, but for those that pass for names of Portico's."""
    sent: dict[str, list[str]] = {}
    for name, value in one.headers:
        if passes_odd or b"_" not in name:
            sent.setdefault(name.decode().upper().replace("-", "_"), []).append(
                value.decode("latin-1").strip(" \t")
            )
    for told, text in call.headers.items():
        if told in _GATEWAY_S or told.startswith(_GATEWAY_BEGINS):
            continue
        values = sent.get(told, [])
        if _joined(text) not in (*map(_joined, values), *(_joined(mark.join(values)) for mark in ",;")):
            yield f"the app was told {told}: {text[:60]!r} where {values} was sent"


def _joined(text: str) -> str:
    """Without blanks around it and around the marks that join several values."""
    return re.sub(r"[ \t]*([,;])[ \t]*", r"\1", text).strip(" \t")


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _ids(seen: Seen) -> Iterator[str]:
    """Each answer that the client got is a line of nginx's, in order; each line without one has no answer to get."""
    named = [line for line in seen.lines if line["id"] != NAMELESS]
    logged, got = [str(line["id"]) for line in named], seen.told.ids
    unknown = set(got) - set(logged)
    if 0 < len(unknown) <= len(seen.lines) - len(named):
        got = [one for one in got if one not in unknown]
    if unknown := set(got) - set(logged):
        yield f"the client got answers that nginx has not logged: {sorted(unknown)}"
    elif [one for one in logged if one in got] != got and not (
        seen.streams and sorted(logged) == sorted(got)
    ):
        # httpd works on the streams of a connection at the same time, and writes a line when one of them is done.
        yield f"the client got {got}, in another order than nginx read them: {logged}"
    for line in named:
        if line["id"] not in got and line["protocol"] and line["status"] not in _LEFT:
            yield f"the client got no answer to {line['method']} {line['uri']}, status {line['status']}"


def strays(calls: Sequence[Call], logged: set[str], addresses: set[str]) -> Iterator[str]:
    """Calls that no connection accounts for."""
    for call in calls:
        if call.id not in logged and (call.client in addresses or call.uri != "/"):  # "/": health checks
            yield f"the app was called with {call.method} {call.uri} by {call.client!r}, which nginx has not read"
    twice = [
        one for one, count in Counter(call.id for call in calls if call.id in logged).items() if count > 1
    ]
    yield from (f"the app was called twice for the request {one}" for one in twice)
