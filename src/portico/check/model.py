"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `ok` is as it should be, `warning` works but will hurt, `fault` would break."""

    level: Literal["ok", "warning", "fault"]
    subject: str
    what: str
    hint: str = ""


def ok(subject: str, what: str) -> Finding:
    return Finding("ok", subject, what)


def warning(subject: str, what: str, hint: str) -> Finding:
    return Finding("warning", subject, what, hint)


def fault(subject: str, what: str, hint: str) -> Finding:
    return Finding("fault", subject, what, hint)
