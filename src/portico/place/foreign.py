"""Files where somebody else may write, the app's own user: no link is followed, and nothing is waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LONGEST = 1 << 22
"""Bytes that are read of one at most."""


def opened(path: str, flags: int) -> int:
    """An opener, as `open` takes one. Raises OSError, also for what is no ordinary file."""
    number = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(f"{path} is no ordinary file")
    return number


def text(path: Path) -> str:
    """Its beginning. Raises OSError and UnicodeDecodeError."""
    with open(path, encoding="utf-8", opener=opened) as file:
        return file.read(LONGEST)
