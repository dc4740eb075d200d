"""Two releases side by side: what the log says of the requests that each of them got."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_MOST_BYTES = 16 << 20
"""Read from the end of a log: some 30 000 requests, in a fifth of a second."""


@dataclass(frozen=True)
class Tally:
    """Requests of one release; `failed` are those answered 5xx, times are milliseconds that the app took."""

    requests: int
    failed: int
    p50_ms: float
    p99_ms: float


def tally(log: Path, since: float, sockets: Iterable[str]) -> tuple[Tally, Tally]:
    """Of the requests logged at or after the Unix time `since`: those that went to `sockets`, and the others."""
    chosen = {f"unix:{path}" for path in sockets}
    inside, outside = list[tuple[int, float]](), list[tuple[int, float]]()
    for upstream, status, seconds in _requests(log, since):
        (inside if upstream in chosen else outside).append((status, seconds))
    return _sum(inside), _sum(outside)


def _requests(log: Path, since: float) -> Iterator[tuple[str, int, float]]:
    for line in _last_lines(log):
        try:
            fields = json.loads(line)
            # A request that was tried twice names both, and both times.
            upstream = fields["upstream"].rpartition(", ")[2]
            seconds = float(fields["response_seconds"].rpartition(", ")[2])
            if datetime.fromisoformat(fields["time"]).timestamp() >= int(since):
                yield upstream, fields["status"], seconds
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # not for the app, or the first line of the piece, which is cut


def _last_lines(log: Path) -> list[bytes]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES))
            return file.read(_MOST_BYTES).split(b"\n")
    except OSError:
        return []


def _sum(requests: list[tuple[int, float]]) -> Tally:
    times = sorted(seconds * 1000 for _, seconds in requests)
    return Tally(
        requests=len(requests),
        failed=sum(status >= 500 for status, _ in requests),
        p50_ms=times[len(times) // 2] if times else 0.0,
        p99_ms=times[min(len(times) - 1, len(times) * 99 // 100)] if times else 0.0,
    )
