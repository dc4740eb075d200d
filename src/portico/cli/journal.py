"""systemd's journal: how bad a line is stands before it, as <N> (sd-daemon(3)), and is stored apart from it."""

from __future__ import annotations

import os
from enum import IntEnum


class Priority(IntEnum):
    """Those of syslog(3) that Portico has a use for."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


def marked(text: str, priority: Priority) -> str:
    """The text as standard error is to get it: every line with its priority when the journal reads it."""
    if not _reads_stderr():
        return text
    return "\n".join(f"<{priority:d}>{line}" for line in text.split("\n"))


def _reads_stderr() -> bool:
    """Whether the journal that JOURNAL_STREAM names really is at the other end: stderr may be redirected."""
    named = os.environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
