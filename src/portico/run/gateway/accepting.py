"""nginx's workers that take new connections: for a tenth of a second after a reload, those of before do so, too."""

from __future__ import annotations

import asyncio
from pathlib import Path

from portico.protocol import notices
from portico.run.processes import proc

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 10.0
"""nginx reads a thousand sites in 7 s; who waits longer is told that it serves although a few clients get the old."""
SERVES = (notices.Switched, notices.CanaryServes, notices.RolledBack, notices.TookOver)
"""The notice that nginx has the files of another release: its listener may try what is new."""
_LEAVING = b"shutting down"


def workers(master: int) -> frozenset[int]:
    """The pids of the workers of that master of nginx's."""
    return frozenset(entry.pid for entry in proc.group_of(master)) - {master}


def accepting(runtime: str) -> frozenset[int]:
    """The pids of such workers of the nginx in that runtime directory."""
    try:
        master = int((Path(runtime) / "nginx.pid").read_text("ascii"))
    except (OSError, ValueError):
        return frozenset()
    return accepting_of(master)


def accepting_of(master: int) -> frozenset[int]:
    """The same of that master."""
    return frozenset(filter(_accepts, workers(master)))


async def until_replaced(before: frozenset[int]) -> None:
    """Wait until none of these is left that takes new connections."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while any(map(_accepts, before)) and loop.time() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)


def _accepts(pid: int) -> bool:
    """nginx writes into its title that it is leaving."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return bool(title) and _LEAVING not in title
