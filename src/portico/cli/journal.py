"""Priorities for systemd's journal: a line begins with <N> (sd-daemon(3)), which the journal stores separately."""

from __future__ import annotations

import os
from enum import IntEnum


class Priority(IntEnum):
    """The priorities of syslog(3) that Portico uses."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


def marked(text: str, priority: Priority) -> str:
    """The text for standard error; if the journal reads it, every line gets its priority."""
    if not _reads_stderr():
        return text
    return "\n".join(f"<{priority:d}>{line}" for line in text.split("\n"))


def _reads_stderr() -> bool:
    """Whether stderr really is the journal that JOURNAL_STREAM names: stderr may be redirected."""
    named = os.environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
