"""nginx's times, sizes and rates in the words of portico.toml."""

from __future__ import annotations

import re

from portico.values import Duration, Size

_TIME = re.compile(r"(\d+)(ms|s|m|h|d|w|M|y)?")
_SECONDS = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "M": 2592000,
    "y": 31536000,
    None: 1,
}
_SIZE = re.compile(r"(\d+)([kKmMgG])?")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, None: 1}
_RATE = re.compile(r"(\d+)r/([sm])")


def seconds(text: str) -> float | None:
    """nginx's `1h 30m`, `90s` or `90`; None for anything else."""
    parts = _TIME.findall(text)
    if not parts or "".join(a + b for a, b in parts) != text.replace(" ", ""):
        return None
    return float(sum(int(number) * _SECONDS[unit or None] for number, unit in parts))


def duration(value: float) -> str:
    """As portico.toml has it."""
    return str(Duration(value))


def bytes_of(text: str) -> int | None:
    """nginx's `10m`, `512k` or `1000`; None for anything else."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2].lower() if match[2] else None] if match else None


def size(value: int) -> str:
    """As portico.toml has it."""
    return str(Size(value))


def rate(text: str) -> str | None:
    """`10r/s` as `10/second`; None for anything else."""
    match = _RATE.fullmatch(text)
    return f"{match[1]}/{'second' if match[2] == 's' else 'minute'}" if match else None
