"""A line of the access log, parsed. The only place that knows its fields and what follows from them.

`plan/gateway/nginx/log/line` and `plan/gateway/httpd/log` write it. A line is readable if it is a JSON object with a
`status`; every other field may be missing (the line of a file has fewer, and so had older versions), and unknown fields
are skipped. Invalid UTF-8, which nginx does not write, is replaced.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, NamedTuple, Self

import msgspec

from portico.decoding import UNREADABLE, Count, Moment, Seconds, UnreadableError, number
from portico.link.context import Parent, parse
from portico.plan.web.refusals import CONNECTIONS, MAINTENANCE, QUEUE, RATE, SHARE

NAME: Final = "access.log"
CLIENT_LEFT: Final = 499
"""The client closed its connection before a byte of its answer was sent; a map in nginx makes sure that this is
logged.
"""
UNAVAILABLE: Final = 503
CLOSED: Final = 444
"""The gateway closed the connection without an answer."""
HITS: Final = frozenset({"HIT", "STALE", "UPDATING", "REVALIDATED"})
"""The gateway's words for a cached answer. REVALIDATED: it asked the app whether the stored one is still valid."""
FAILED_MARK, LEFT_MARK, TRACED_MARK = b'"status":5', b'"status":499', b'"agent":"portico-trace"'
UNAVAILABLE_MARK = b'"status":503'
r"""Bytes that only such a line has. A client cannot send them: within its own text nginx writes \" for a quote."""
BEGIN_MARK = b'{"time":"'
"""The start of each line."""
Status = Annotated[int, msgspec.Meta(ge=0, le=999)]


class Numbers(NamedTuple):
    """A worker's numbers about a request; None, or an empty endpoint, if unknown."""

    queue_us: int | None = None
    app_us: int | None = None
    pid: int | None = None
    thread: int | None = None
    endpoint: str = ""


NO_NUMBERS: Final = Numbers()


class Request(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """One request as the gateway logged it. Times in seconds, sizes in bytes; `docs/log.md` describes the fields."""

    time: str = ""
    id: str = ""
    client: str = ""
    method: str = ""
    scheme: str = ""
    host: str = ""
    uri: str = ""
    status: Status
    bytes_in: Count = 0
    bytes_out: Count = 0
    protocol: str = ""
    tls: str = ""
    cipher: str = ""
    connection: Count = 0
    refused_by: str = ""
    """The guard that refused the request (`plan.web.guards`); ", dry run" follows one that let it pass."""
    cache: str = ""
    seconds: Seconds = 0.0
    upstream: str = ""
    upstream_status: str = ""
    connect_seconds: str = ""
    header_seconds: str = ""
    response_seconds: str = ""
    worker: str = ""
    forwarded: str | None = None
    """None if the line does not have it: that of a file, and all behind declared proxies."""
    agent: str = ""
    referer: str = ""
    ended: Moment = 0.0
    traceparent: str = ""
    trusted: str = ""
    rule: str = ""
    """The number of the [[route]] that took the request, from 1."""
    fetch_site: str = ""

    @classmethod
    def parse(cls, line: str | bytes) -> Self | None:
        """The request of a line; None if the line is unreadable: cut by a full disk, or not the gateway's."""
        try:
            return _decode(line)  # type: ignore[return-value]
        except UNREADABLE:
            return _mended(line)  # type: ignore[return-value]

    @property
    def path(self) -> str:
        """The path without the query, as it was sent."""
        return self.uri.partition("?")[0]

    @property
    def is_failed(self) -> bool:
        """The answer is a 5xx, and not that of maintenance."""
        return self.status >= 500 and not self.is_closed_site

    @property
    def is_closed_site(self) -> bool:
        """The site was closed (`portico maintenance`)."""
        return self.status == UNAVAILABLE and self.refused_by == MAINTENANCE

    @property
    def is_left(self) -> bool:
        """The client left before its answer began: the request is neither failed nor served."""
        return self.status == CLIENT_LEFT

    @property
    def outcome(self) -> str:
        """One word: "left", "closed" (by the gateway, without an answer), "maintenance", "failed", or "answered"."""
        if self.is_left:
            return "left"
        if self.is_closed_site:
            return "maintenance"
        return "closed" if self.status == CLOSED else "failed" if self.is_failed else "answered"

    @property
    def is_cache_hit(self) -> bool:
        """The answer was in the gateway's cache."""
        return self.cache in HITS

    @property
    def is_limited(self) -> bool:
        """A limit refused it."""
        return self.refused_by in (RATE, CONNECTIONS, SHARE)

    @property
    def is_refused(self) -> bool:
        """A guard refused it."""
        return bool(self.refused_by) and "," not in self.refused_by

    @property
    def would_be_refused_by(self) -> str:
        """The guard that would have refused it without its dry run; empty for none."""
        guard, comma, _ = self.refused_by.partition(", dry run")
        return guard if comma else ""

    @property
    def is_by_gateway(self) -> bool:
        """The gateway answered alone: a file, a redirect, a refusal, a cached answer."""
        return not self.upstream or self.refused_by == QUEUE

    @property
    def server(self) -> str:
        """The address of the upstream server that answered, the last one if several were tried; empty if none was
        asked.
        """
        return self.upstream.replace(" : ", ", ").rpartition(", ")[2]

    @property
    def retries(self) -> int:
        """How often it was retried at another server or socket."""
        return 0 if self.refused_by == QUEUE else self.upstream.count(", ")

    @cached_property
    def numbers(self) -> Numbers:
        """The worker's numbers.

        A cached answer has those of the time it was stored: only the endpoint is valid for this request.
        """
        queue, app, pid, thread, endpoint = [*self.worker.split(" "), *[""] * 5][:5]
        if self.is_cache_hit:
            queue = app = pid = thread = ""
        return Numbers(
            _number(queue), _number(app), _number(pid), _number(thread), "" if endpoint == "-" else endpoint
        )

    @property
    def parent(self) -> Parent | None:
        """The parent span, if a declared proxy sent one."""
        return parse(self.traceparent) if self.trusted == "1" else None

    @property
    def trace(self) -> str:
        """The ID of the request's trace; the request's own unless a proxy began it."""
        return self.parent.trace if self.parent else self.id

    def record(self) -> dict[str, Any]:
        """Every field, and what follows from them; those of traces if there are any."""
        fields = msgspec.structs.asdict(self) | {"forwarded": self.forwarded or ""}
        if self.ended:
            fields["trace"] = self.trace
        else:
            del fields["ended"], fields["traceparent"], fields["trusted"]
        for name in ("rule", "fetch_site"):
            if not fields[name]:
                del fields[name]
        follows = {"path": self.path, "outcome": self.outcome, "retries": self.retries}
        return fields | follows | self.numbers._asdict()


_decode = msgspec.json.Decoder(Request).decode


def as_json(line: str | bytes) -> str:
    r"""The line as JSON: httpd writes `\\xHH` for a byte that is no printable ASCII, and `\\v`."""
    packed = line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_unescaped, packed).decode("utf-8", "replace")


_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(v)|.)", re.DOTALL)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if not (found[1] or found[2]):
        return found[0]
    byte = int(found[1], 16) if found[1] else 0x0B
    return bytes([byte]) if byte > 0x7F else b"\\u%04x" % byte


def _mended(line: str | bytes) -> Request | None:
    try:
        return _decode(as_json(line))
    except UNREADABLE:
        return None


def moment(time: str) -> float:
    """A line's time as a Unix time; 0 if it is invalid."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _number(text: str) -> int | None:
    """None if it is not a number, or one that no worker of Portico's would send."""
    try:
        return number(text)
    except UnreadableError:
        return None
