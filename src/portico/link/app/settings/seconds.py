"""A time from the app, within the bounds of site.facts.Seconds."""

from __future__ import annotations

from typing import Any

_MOST = 1e9


def seconds(value: Any) -> float:
    """The seconds; None for no time, and for a value that is not a number."""
    found = float(value or 0)
    return min(found, _MOST) if found > 0 else 0.0
