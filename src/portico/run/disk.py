"""Tell when the disk that holds the logs is full: nginx goes on and drops its log lines without a word."""

from __future__ import annotations

import os
from collections.abc import Callable

from portico.run import news
from portico.run.news import News
from portico.turns import WELL, Rounds, turn

LOOK_SECONDS = 3.0
LITTLE_BYTES = 1 << 20
"""nginx writes its log in pieces of up to 64 KiB; several of them must fit until the next look."""


async def watch(
    state: str, say: Callable[[News], None], has_room: Callable[[str], bool] | None = None
) -> Rounds:
    """Say it once when the room ends, and once when there is some again."""
    had_room, look = True, has_room or _has_room
    while True:
        is_enough = look(state)
        if is_enough != had_room:
            say(news.DiskBack(state) if is_enough else news.DiskFull(state))
        had_room = is_enough
        yield WELL
        await turn(LOOK_SECONDS)


def _has_room(state: str) -> bool:
    found = os.statvfs(state)
    # A file system that counts nothing says 0 of 0.
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize >= LITTLE_BYTES
