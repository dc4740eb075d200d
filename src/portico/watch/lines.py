"""The one log line (D4), read back: from nginx's JSON to a value, and to what a person reads."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import msgspec

from portico.link.context import Parent, parse
from portico.values import Size

_LONGEST = 45
"""Characters of an IPv6 address; nothing that is a method or a client is longer."""
FROM_CACHE = frozenset({"HIT", "STALE", "UPDATING"})
"""The answer is one that nginx kept."""
CLIENT_LEFT, CLOSED = 499, 444
"""nginx's own statuses: the client hung up, and nginx closed the connection without an answer."""
_SHORTEST = 12
"""What is shown of a path however narrow the terminal is."""


class Request(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """One request as nginx logged it. Times in seconds, sizes in bytes; an older line may lack the later fields."""

    time: str
    id: str
    client: str
    method: str
    scheme: str = ""
    host: str = ""
    uri: str
    status: int
    bytes_in: int = 0
    bytes_out: int
    protocol: str = ""
    tls: str = ""
    cipher: str = ""
    connection: int = 0
    limit_rate: str = ""
    limit_connections: str = ""
    cache: str = ""
    seconds: float
    upstream: str = ""
    upstream_status: str = ""
    connect_seconds: str = ""
    header_seconds: str = ""
    response_seconds: str = ""
    worker: str = ""
    forwarded: str = ""
    agent: str = ""
    referer: str = ""
    ended: float = 0.0
    traceparent: str = ""
    trusted: str = ""

    @classmethod
    def parse(cls, line: str | bytes) -> Self | None:
        """The request of a line, or None for a line that is not one (a cut line after a crash)."""
        if isinstance(line, bytes):
            line = line.decode("utf-8", "replace")
        try:
            return msgspec.json.decode(line, type=cls)
        except (msgspec.MsgspecError, ValueError):
            return None

    @property
    def path(self) -> str:
        """The path without the query, as it was sent."""
        return self.uri.partition("?")[0]

    @property
    def has_left(self) -> bool:
        """The client closed its connection before it got a byte; nginx writes 499, or the status it would have sent."""
        return self.status == CLIENT_LEFT or (not self.bytes_out and 200 <= self.status < CLOSED)

    @property
    def retries(self) -> int:
        """How often it was tried again at another server or socket."""
        return self.upstream.count(", ")

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """What the worker said: queue_us, app_us, pid, thread, endpoint; None or "" for what it did not.

        With an answer that nginx kept comes what its worker said then: only the endpoint is true of this request.
        """
        queue, app, pid, thread, endpoint = [*self.worker.split(" "), *[""] * 5][:5]
        if self.cache in FROM_CACHE:
            queue = app = pid = thread = ""
        return {
            "queue_us": _number(queue),
            "app_us": _number(app),
            "pid": _number(pid),
            "thread": _number(thread),
            "endpoint": "" if endpoint == "-" else endpoint,
        }

    @property
    def parent(self) -> Parent | None:
        """The span that this request continues: one that a declared proxy named."""
        return parse(self.traceparent) if self.trusted == "1" else None

    @property
    def trace(self) -> str:
        """The id of the request's trace; the request's own unless a proxy began it."""
        return self.parent.trace if self.parent else self.id

    def record(self) -> dict[str, Any]:
        """Every field, and what follows from them; those of traces where there are any."""
        fields = msgspec.structs.asdict(self)
        if self.ended:
            fields["trace"] = self.trace
        else:
            del fields["ended"], fields["traceparent"], fields["trusted"]
        return fields | {"path": self.path, "retries": self.retries} | self.numbers


def readable(request: Request, width: int = 0, *, is_dated: bool = False) -> str:
    """`12:03:04  200  GET     12ms  4KiB  /path  127.0.0.1`, the path cut so that all fits the width.

    With `is_dated` the day stands before the time.
    """
    time = visible(clock(request.time, is_dated=is_dated))
    head = (
        f"{time}  {request.status:3d}  {visible(request.method or '-')[:_LONGEST]:6s} "
        f"{milliseconds(request.seconds):>7s} {short_size(request.bytes_out):>8s}  "
    )
    left = "  client left" if request.has_left else ""
    tail = f"  {visible(request.client)[:_LONGEST]}{left}"
    return f"{head}{_cut(visible(request.uri or '-'), width - len(head) - len(tail), width)}{tail}"


def detail(request: Request) -> str:
    """What the line has besides, for somebody who looks closer: id, route, times, retries, cache, TLS."""
    numbers = request.numbers
    parts = [
        request.id,
        f"trace {request.trace}" if request.parent else "",
        numbers["endpoint"],
        f"queue {numbers['queue_us'] / 1000:.1f}ms" if numbers["queue_us"] else "",
        f"app {numbers['app_us'] / 1000:.1f}ms" if numbers["app_us"] is not None else "",
        f"worker {numbers['pid']}" if numbers["pid"] else "",
        f"tried {request.retries + 1} times" if request.retries else "",
        f"cache {request.cache}" if request.cache else "",
        f"limit {request.limit_rate}" if request.limit_rate not in ("", "PASSED") else "",
        f"limit {request.limit_connections}" if request.limit_connections not in ("", "PASSED") else "",
        request.tls,
    ]
    return "  ".join(visible(part) for part in parts if part)


def visible(text: str) -> str:
    """The text with control characters spelled out: a stranger's words must not steer the terminal."""
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def clock(time: str, *, is_dated: bool) -> str:
    """The time of day of a line's ISO 8601 time, with its day before it when wanted."""
    day, _, rest = time.partition("T")
    return f"{day[:10]} {rest[:8]}" if is_dated else rest[:8]


def unread_lines(count: int) -> str:
    """What is said of lines that are no requests: they are counted, never dropped in silence."""
    return f"{count} {'line' if count == 1 else 'lines'} of access.log could not be read"


def milliseconds(seconds: float) -> str:
    """One unit up to a second, and the other above it: 179ms, 3.18s, 30.0s."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.2f}s" if seconds < 9.995 else f"{seconds:.1f}s"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _spelled(char: str) -> str:
    code = ord(char)
    return "    " if char == "\t" else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, room: int, width: int) -> str:
    room = max(room, _SHORTEST)
    return text if not width or len(text) <= room else f"{text[: room - 1]}…"


def short_size(count: int) -> str:
    """A number of bytes as people say it: 5.4KiB."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(Size(count))
