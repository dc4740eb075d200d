"""Formats figures for people, and shortens text."""

from __future__ import annotations


def lasting(seconds: float) -> str:
    """A duration: 12 s, 3 min, 5 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def cut(text: str, width: int) -> str:
    """The text, shortened to fit."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def mebibytes(count: int) -> str:
    """A size in MiB, whole: memory and files on disk."""
    return f"{count / (1 << 20):.0f} MiB"
