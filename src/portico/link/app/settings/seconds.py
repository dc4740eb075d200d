"""A time that the app says, within the bounds of site.facts.Seconds."""

from __future__ import annotations

from typing import Any

_MOST = 1e9


def seconds(value: Any) -> float:
    """None is no time at all; so is what is no number."""
    found = float(value or 0)
    return min(found, _MOST) if found > 0 else 0.0
