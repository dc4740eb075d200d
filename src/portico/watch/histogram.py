"""Distributions of times: one scale for everything, ten buckets a decade, so that a percentile is right to an
eighth.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import add

_STEPS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
BOUNDS: tuple[float, ...] = tuple(
    round(step * 10.0**power, 10) for power in (-4, -3, -2, -1, 0, 1) for step in _STEPS
)
"""Seconds, from 0.1 ms to 80 s: the inclusive upper bound of each bucket. Longer times have a bucket of their own."""
SHOWN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""The bounds for Prometheus; all are among BOUNDS."""
_SHOWN_AT = tuple(BOUNDS.index(bound) for bound in SHOWN)


class Histogram:
    """Counts by bucket, and the sum of all times in seconds."""

    __slots__ = ("steps", "sum")

    def __init__(self) -> None:
        self.steps = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float, weight: int = 1) -> None:
        """Counts a time, `weight` times."""
        self.steps[bisect_left(BOUNDS, seconds)] += weight
        self.sum += seconds * weight

    @property
    def count(self) -> int:
        return sum(self.steps)

    @classmethod
    def total(cls, many: Iterable[Histogram]) -> Histogram:
        """The sum of several histograms."""
        made = cls()
        for one in many:
            made.steps = list(map(add, made.steps, one.steps))
            made.sum += one.sum
        return made

    def copy(self) -> Histogram:
        made = Histogram()
        made.steps, made.sum = self.steps.copy(), self.sum
        return made

    def since(self, before: Histogram | None) -> Histogram:
        """What was added after `before`, a copy of this one."""
        if before is None:
            return self.copy()
        made = Histogram()
        made.steps = [now - then for now, then in zip(self.steps, before.steps, strict=True)]
        made.sum = self.sum - before.sum
        return made

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound of SHOWN and how many times were at or below it."""
        total, at = 0, 0
        for bound, index in zip(SHOWN, _SHOWN_AT, strict=True):
            total += sum(self.steps[at : index + 1])
            at = index + 1
            yield bound, total

    def quantiles(self, *shares: float) -> list[float | None]:
        """The time below which each share (0.5, 0.99) of the counts is; None if it is empty."""
        total = self.count
        if total == 1:  # the sum is that time itself
            return [self.sum for _ in shares]
        return [_quantile(self.steps, share * total) if total else None for share in shares]


def _quantile(steps: Sequence[int], rank: float) -> float:
    """The place of the rank within its bucket, which counts as evenly filled."""
    below = 0
    for index, count in enumerate(steps):
        if count and below + count >= rank:
            low = BOUNDS[index - 1] if index else 0.0
            high = BOUNDS[min(index, len(BOUNDS) - 1)]
            return low + (high - low) * (rank - below) / count
        below += count
    return BOUNDS[-1]
