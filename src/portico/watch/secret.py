"""The password that Portico makes for observers if the site names none."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from portico import atomic

LENGTH_BYTES = 24


def make(path: str) -> None:
    """A file with a password that only its owner can read; an existing one with that mode stays. Raises OSError."""
    if _is_ours(Path(path)):
        return
    atomic.write(Path(path), secrets.token_urlsafe(LENGTH_BYTES).encode() + b"\n")


def _is_ours(path: Path) -> bool:
    """A link, another user's file or one that others can read would be no secret."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
