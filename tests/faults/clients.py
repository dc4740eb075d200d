"""Steady clients, and what they saw of a fault: what was lost, for how long, how slow it was."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.support.clients import MIXED, Profile
from tests.support.clients import Clients as Steady


class Clients(Steady):
    """`MIXED` clients, unless another profile is named."""

    def __init__(self, port: int, profile: Profile = MIXED, **changed: Any) -> None:
        super().__init__(port, profile, **changed)

    def slowest(self) -> float:
        return max((asked.took for asked in self.asked.copy()), default=0.0)

    def recovered(self, moment: float, *, said: str = "", seconds: float = 60.0) -> float:
        """When the first good answer came to a request that was sent after `moment`; infinite if none came in time.

        `said` is what it must say, when that tells who answered.
        """
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            ends = [a.ended for a in self.asked.copy() if a.began >= moment and a.is_good and said in a.said]
            if ends:
                return min(ends)
            time.sleep(0.01)
        return math.inf

    def go_on(self, rounds: int = 4, seconds: float = 150.0) -> None:
        """Return when every client has asked so many more times: what was lost after a fault is seen then."""
        began, give_up = time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < give_up and self._fewest_since(began) < rounds:
            time.sleep(0.02)

    def _fewest_since(self, moment: float) -> int:
        counted = Counter(asked.client for asked in self.asked.copy() if asked.began >= moment)
        return min(counted[index] for index in range(self.profile.count))

    def back_after(self, moment: float, until: float = math.inf) -> float:
        """Seconds from `moment` to the end of the last failure, or the longest wait between two good answers.

        What came after `until` is another matter, but for the first good answer when there was none before.
        """
        after = [asked for asked in self.asked.copy() if moment <= asked.ended]
        first = min((asked.ended for asked in after if asked.is_good), default=until)
        seen = [asked for asked in after if asked.ended <= max(until, first)]
        ends = [moment, *sorted(asked.ended for asked in seen if asked.is_good)]
        silences = [later - earlier for earlier, later in pairwise(ends)]
        failures = [asked.ended - moment for asked in seen if not asked.is_good]
        return max([*silences, *failures], default=math.inf)

    def p99(self, spans: Sequence[tuple[float, float]]) -> float:
        """Of the answers that ended in one of the spans of time, in seconds."""
        seen = self.asked.copy()
        took = sorted(asked.took for since, until in spans for asked in seen if since <= asked.ended < until)
        return took[math.ceil(len(took) * 0.99) - 1]
