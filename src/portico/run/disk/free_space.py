"""Reports a full disk of the logs: the gateway keeps serving and silently drops its log lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS = 3.0
LITTLE_BYTES = 1 << 20
"""The gateway writes its log in pieces of up to 64 KiB; several of them must fit until the next look."""


async def watch(
    state: str, say: Callable[[Notice], None], look: Callable[[str], bool] | None = None
) -> Rounds:
    """Report once when the space runs out, and once when there is space again."""
    had_room, look = True, look or has_room
    while True:
        is_enough = look(state)
        if is_enough != had_room:
            say(notices.DiskBack(state) if is_enough else notices.DiskFull(state))
        had_room = is_enough
        yield WELL
        await tick(LOOK_SECONDS)


def full(directories: Iterable[str]) -> list[str]:
    """The directories whose disk is full; another watcher reports a missing directory."""
    made = list[str]()
    for directory in directories:
        with suppress(OSError):
            made += [] if has_room(directory) else [directory]
    return made


def has_room(state: str) -> bool:
    """Whether the disk of that directory has space for a few more log lines. Raises OSError."""
    found = os.statvfs(state)
    # A file system without such counts reports 0 of 0.
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize >= LITTLE_BYTES
