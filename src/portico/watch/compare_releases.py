"""Two releases side by side: the log's numbers of each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from portico.decoding import Seconds, UnreadableError, decoded
from portico.log.reader import last_lines, request_reader
from portico.log.request import Request, moment
from portico.plan.paths import logged_addresses, without_rules
from portico.protocol.status import Tally

_MOST_BYTES = 16 << 20
"""The part that is read from the end of a log: some 30 000 requests, in a fifth of a second."""


class Comparison(Struct, frozen=True):
    """The requests of one release, those of the others, and a message about unreadable lines."""

    chosen: Tally
    others: Tally
    unread: str


def tally(log: Path, since: float, sockets: Iterable[str]) -> Comparison:
    """The numbers of requests since the Unix time `since`: those that went to `sockets`, and the others."""
    chosen, reader = logged_addresses(sockets), request_reader()
    inside, outside = list[tuple[Request, float]](), list[tuple[Request, float]]()
    for request in reader.read(last_lines(log, _MOST_BYTES)):
        seconds = _seconds(request)
        if seconds is not None and moment(request.time) >= int(since):
            (inside if without_rules(request.server) in chosen else outside).append((request, seconds))
    return Comparison(_sum(inside), _sum(outside), reader.complaint())


def _seconds(request: Request) -> float | None:
    """The time of the last server that was tried; None if none was asked, or none answered. Of httpd, which logs no
    server's time, the whole time of each request for which it chose one.
    """
    if request.upstream and not (request.upstream_status or request.response_seconds):
        return request.seconds
    try:
        return decoded(request.response_seconds.replace(" : ", ", ").rpartition(", ")[2], Seconds)
    except UnreadableError:
        return None


def _sum(requests: list[tuple[Request, float]]) -> Tally:
    times = sorted(seconds * 1000 for _, seconds in requests)
    return Tally(
        requests=len(requests),
        failed=sum(request.is_failed for request, _ in requests),
        left=sum(request.is_left for request, _ in requests),
        p50_ms=times[len(times) // 2] if times else 0.0,
        p99_ms=times[min(len(times) - 1, len(times) * 99 // 100)] if times else 0.0,
    )
