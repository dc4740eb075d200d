"""Report a full disk below the logs: nginx keeps serving and silently drops its log lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS = 3.0
LITTLE_BYTES = 1 << 20
"""nginx writes its log in pieces of up to 64 KiB; several of them must fit until the next look."""


async def watch(
    state: str, say: Callable[[Notice], None], look: Callable[[str], bool] | None = None
) -> Rounds:
    """Say it once when the room ends, and once when there is some again."""
    had_room, look = True, look or has_room
    while True:
        is_enough = look(state)
        if is_enough != had_room:
            say(notices.DiskBack(state) if is_enough else notices.DiskFull(state))
        had_room = is_enough
        yield WELL
        await tick(LOOK_SECONDS)


def full(directories: Iterable[str]) -> list[str]:
    """Those of the directories whose disk is full; one that is not there has its own watcher."""
    made = list[str]()
    for directory in directories:
        with suppress(OSError):
            made += [] if has_room(directory) else [directory]
    return made


def has_room(state: str) -> bool:
    """Whether the disk of that directory takes a few more log lines. Raises OSError."""
    found = os.statvfs(state)
    # A file system that counts nothing says 0 of 0.
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize >= LITTLE_BYTES
