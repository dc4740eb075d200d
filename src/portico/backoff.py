"""How long to wait before something that failed is tried again. Pure."""

from __future__ import annotations

_MOST_DOUBLINGS = 20
"""Clamped before the power is taken: failures may go on for a year."""


def pause(failures: int, *, first: float, longest: float) -> float:
    """Seconds before the next try: `first` after one failure, then doubled with each, `longest` at most."""
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


def less_served(seconds: float, served: float | None, *, longest: float, least: float) -> float:
    """The same for what worked for `served` seconds in between: that time counts as a part of the pause.

    None: it did not work at all, and waits in full. Otherwise it waits `longest` at most and `least` at least.
    """
    return seconds if served is None else max(least, min(seconds, longest) - served)
