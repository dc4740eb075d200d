"""Compares a canary with the live release: the figures that decide about promoting or aborting it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from portico.cli import output
from portico.protocol.status import Status, Tally
from portico.watch.compare_releases import tally


def compare(status: Status) -> Status:
    """The status with a canary, and the log's figures of both releases since the canary got requests."""
    if (shown := status.canary) is None:
        return status
    found = tally(Path(status.access_log), shown.since, shown.sockets)
    return replace(status, canary=replace(shown, canary=found.chosen, live=found.others, unread=found.unread))


def comparison(status: Status) -> list[str]:
    """The comparison as lines, the canary first."""
    shown = status.canary
    if not (shown and shown.canary and shown.live):
        return []
    share = f"{shown.share:.0%}"
    unread = [output.warned(f"             {shown.unread}")] if shown.unread else []
    return [
        f"  canary     release {shown.number} gets {share} of the requests; so far",
        _line(f"release {shown.number}", shown.canary),
        _line(f"release {status.live}", shown.live),
        *unread,
    ]


def _line(name: str, figures: Tally) -> str:
    failed = f"{figures.failed} failed"
    if figures.requests:
        failed += f" ({figures.failed / figures.requests:.1%})"
    text = f"{name:<12s}{figures.requests:>8d} requests   {failed:<18s}"
    text += f"{figures.left} clients left   " if figures.left else ""
    text += f"p50 {figures.p50_ms:.0f} ms   p99 {figures.p99_ms:.0f} ms"
    return f"             {output.bad(text) if figures.failed else text}"
