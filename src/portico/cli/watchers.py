"""Failing background tasks, as `portico status` shows them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from portico.cli import output
from portico.cli.words import lasting
from portico.protocol.status import WatcherStatus


def rows(watchers: Iterable[WatcherStatus]) -> list[str]:
    """The failing background tasks: since when they fail, and when they are tried again."""
    return [output.warned(f"  failing    {_watcher(one)}") for one in watchers]


def _watcher(one: WatcherStatus) -> str:
    now = time.time()
    again = "at the next look" if one.next_try is None else f"in {max(0.0, one.next_try - now):.0f} s"
    times = f"{one.failures} times, " if one.failures > 1 else ""
    ago = lasting(max(0.0, now - one.last))
    return f"watching {one.name}: {one.error} ({times}last {ago} ago), next try {again}"
