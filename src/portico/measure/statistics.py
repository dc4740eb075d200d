"""How sure a difference is: rounds in pairs, and Student's t on the logarithms of their ratios.

A round measures both sides one after the other, so what changes from minute to minute (other programs, the clock of
the processor) is in both and cancels in the ratio. Each round starts its programs afresh: how they happen to lie in
memory differs from start to start, so it is noise of the rounds, too, and no difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, median, stdev

from msgspec import Struct

CONFIDENCE = 0.99
"""Of a whole comparison, however many figures it has: one in a hundred without a difference finds one."""
LEAST = 0.03
"""A smaller difference is not reported, however sure it is."""
_STEPS = 400
_HALVINGS = 60


class Spread(Struct, frozen=True):
    median: float
    low: float
    high: float


def spread(numbers: Sequence[float]) -> Spread | None:
    return Spread(median(numbers), min(numbers), max(numbers)) if numbers else None


class Ratio(Struct, frozen=True):
    """How many times as much the second side is: the best guess, and between what it is with that confidence."""

    ratio: float
    low: float
    high: float
    rounds: int

    @property
    def is_sure(self) -> bool:
        """The interval does not contain 1, and the difference is worth a word."""
        return not self.low <= 1 <= self.high and abs(self.ratio - 1) >= LEAST


def ratio(before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE) -> Ratio | None:
    """Of pairs, one a round. None if there are fewer than two, or a figure is not positive."""
    pairs = [(first, second) for first, second in zip(before, after, strict=True) if first > 0 and second > 0]
    if len(pairs) < 2:
        return None
    logs = [math.log(second / first) for first, second in pairs]
    middle, count = fmean(logs), len(logs)
    margin = quantile(confidence, count - 1) * stdev(logs) / math.sqrt(count)
    return Ratio(math.exp(middle), math.exp(middle - margin), math.exp(middle + margin), count)


def shared(confidence: float, figures: int) -> float:
    """The confidence of each of several figures, so that the whole has this one (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, figures)


@cache
def quantile(confidence: float, degrees: int) -> float:
    """Student's t: within so many standard errors on both sides of zero, with that probability."""
    low, high = 0.0, 1.0
    while _within(high, degrees) < confidence:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return high


def _within(distance: float, degrees: int) -> float:
    """The probability between -distance and distance, by Simpson's rule over the angle: t = sqrt(n) tan(angle)."""
    most = math.atan(distance / math.sqrt(degrees))
    width = most / _STEPS
    heights = [math.cos(index * width) ** (degrees - 1) for index in range(_STEPS + 1)]
    area = (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2])) * width / 3
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(math.pi)
    return 2 * scale * area
