"""The pause before something that failed is retried. Pure."""

from __future__ import annotations

_MOST_DOUBLINGS = 20
"""Clamped before the power is computed: failures may continue for a year."""


def pause(failures: int, *, first: float, longest: float) -> float:
    """Seconds before the next try: `first` after one failure, then doubled with each, `longest` at most."""
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


def less_served(seconds: float, served: float | None, *, longest: float, least: float) -> float:
    """The same for something that worked for `served` seconds in between: that time counts as a part of the pause.

    None: it did not work at all, and the pause is full. Otherwise it is between `least` and `longest`.
    """
    return seconds if served is None else max(least, min(seconds, longest) - served)
