"""The one log line (D4), read back: from nginx's JSON to a value, and to what a person reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

from portico.values import Size

_LONGEST = 45
"""Characters of an IPv6 address; nothing that is a method or a client is longer."""
_SHORTEST = 12
"""What is shown of a path however narrow the terminal is."""


@dataclass(frozen=True)
class Request:
    """One request as nginx logged it. Times in seconds, sizes in bytes; `raw` is the whole line."""

    method: str
    uri: str
    status: int
    seconds: float
    bytes_out: int
    client: str
    id: str
    time: str
    raw: str

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """The request of a line, or None for a line that is not one (a cut line after a crash)."""
        try:
            fields: dict[str, Any] = json.loads(line)
            return cls(
                method=fields["method"],
                uri=fields["uri"],
                status=fields["status"],
                seconds=fields["seconds"],
                bytes_out=fields["bytes_out"],
                client=fields["client"],
                id=fields["id"],
                time=fields["time"],
                raw=line,
            )
        except (ValueError, KeyError, TypeError):
            return None


def readable(request: Request, width: int = 0) -> str:
    """`12:03:04  200  GET     12ms  4KiB  /path  127.0.0.1`, the path cut so that all fits the width."""
    time = visible(request.time.partition("T")[2][:8])
    head = (
        f"{time}  {request.status:3d}  {visible(request.method or '-')[:_LONGEST]:6s} "
        f"{_milliseconds(request.seconds):>7s} {short_size(request.bytes_out):>8s}  "
    )
    tail = f"  {visible(request.client)[:_LONGEST]}"
    return f"{head}{_cut(visible(request.uri or '-'), width - len(head) - len(tail), width)}{tail}"


def visible(text: str) -> str:
    """The text with control characters spelled out: a stranger's words must not steer the terminal."""
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    code = ord(char)
    return "    " if char == "\t" else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, room: int, width: int) -> str:
    room = max(room, _SHORTEST)
    return text if not width or len(text) <= room else f"{text[: room - 1]}…"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 10 else f"{seconds:.1f}s"


def short_size(count: int) -> str:
    """A number of bytes as people say it: 5.4KiB."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(Size(count))
