"""Decides when clients need a pass: while more requests come than the app answers, and for some time after. Pure.

The challenge keeps clients away from the app, so the pressure seems to be gone. Each time that it returns at
once, the challenge lasts twice as long.
"""

from __future__ import annotations

from msgspec import Struct

SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 900.0
SOON_SECONDS = 60.0
BUSY_SHARE = 0.85
"""The share of the workers' CPU time."""
_BUSY_LOOKS = 4
"""The number of consecutive looks: a single slow request is no pressure."""


class Pressure(Struct):
    """Called at each look with whether the app is under pressure."""

    is_on: bool = False
    hold: float = SHORTEST_SECONDS
    pressed_at: float = 0.0
    lowered_at: float = float("-inf")

    def look(self, now: float, *, is_pressed: bool) -> bool:
        """Whether clients need a pass from now on."""
        if is_pressed:
            if not self.is_on:
                is_soon = now - self.lowered_at < SOON_SECONDS
                self.hold = min(self.hold * 2, LONGEST_SECONDS) if is_soon else SHORTEST_SECONDS
            self.is_on, self.pressed_at = True, now
        elif self.is_on and now - self.pressed_at >= self.hold:
            self.is_on, self.lowered_at = False, now
        return self.is_on


class Busy(Struct):
    """Detects pressure for an app that does not report it: its CPUs are busy, or requests wait for it."""

    looks: int = 0
    seconds: float = 0.0
    at: float = 0.0

    def look(self, now: float, used: float, room: float, *, waiting: bool) -> bool:
        """`used` are the CPU seconds that its workers have used so far, `room` the CPU seconds available per
        second.
        """
        elapsed, spent = now - self.at, used - self.seconds
        is_first, self.at, self.seconds = self.at == 0.0, now, used
        is_busy = not is_first and elapsed > 0 and spent >= BUSY_SHARE * room * elapsed
        self.looks = self.looks + 1 if is_busy or waiting else 0
        return self.looks >= _BUSY_LOOKS
