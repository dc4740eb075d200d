"""A site's log lines for people."""

from __future__ import annotations

from portico.log.request import Request
from portico.values import Size

_LONGEST = 45
"""The length of an IPv6 address; no method or client is longer."""
_SHORTEST = 12
"""The characters of a path that are shown on any terminal."""


def readable(request: Request, width: int = 0, *, is_dated: bool = False) -> str:
    """`12:03:04  200  GET     12ms  4KiB  /path  127.0.0.1`, with the path cut to fit the width.

    If `is_dated`, the day comes before the time.
    """
    time = visible(clock(request.time, is_dated=is_dated))
    head = (
        f"{time}  {request.status:3d}  {visible(request.method or '-')[:_LONGEST]:6s} "
        f"{milliseconds(request.seconds):>7s} {short_size(request.bytes_out):>8s}  "
    )
    left = "  client left" if request.is_left else ""
    tail = f"  {visible(request.client)[:_LONGEST]}{left}"
    return f"{head}{_cut(visible(request.uri or '-'), width - len(head) - len(tail), width)}{tail}"


def detail(request: Request) -> str:
    """The other fields of the line: ID, route, times, retries, cache, TLS."""
    numbers = request.numbers
    parts = [
        request.id,
        f"trace {request.trace}" if request.parent else "",
        numbers.endpoint,
        f"queue {numbers.queue_us / 1000:.1f}ms" if numbers.queue_us else "",
        f"app {numbers.app_us / 1000:.1f}ms" if numbers.app_us is not None else "",
        f"worker {numbers.pid}" if numbers.pid else "",
        f"tried {request.retries + 1} times" if request.retries else "",
        f"cache {request.cache}" if request.cache else "",
        f"refused by {request.refused_by}" if request.refused_by else "",
        request.tls,
    ]
    return "  ".join(visible(part) for part in parts if part)


def visible(text: str) -> str:
    """The text with control characters escaped: a client's text must not control the terminal."""
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def clock(time: str, *, is_dated: bool) -> str:
    """The time of day of a line's ISO 8601 time, with its day before it if requested."""
    day, _, rest = time.partition("T")
    return f"{day[:10]} {rest[:8]}" if is_dated else rest[:8]


def milliseconds(seconds: float) -> str:
    """Milliseconds up to a second, and seconds above: 179ms, 3.18s, 30.0s."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.2f}s" if seconds < 9.995 else f"{seconds:.1f}s"


def _spelled(char: str) -> str:
    code = ord(char)
    return "    " if char == "\t" else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, room: int, width: int) -> str:
    room = max(room, _SHORTEST)
    return text if not width or len(text) <= room else f"{text[: room - 1]}…"


def short_size(count: int) -> str:
    """A number of bytes for people: 5.4KiB."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(Size(count))
