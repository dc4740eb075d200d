"""How sure a difference is."""

from __future__ import annotations

import random

import pytest

from portico.measure.statistics import quantile, ratio, shared, spread


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [(0.95, 2, 4.303), (0.99, 1, 63.657), (0.99, 4, 4.604), (0.995, 5, 4.773), (0.95, 30, 2.042)],
)
def test_student_s_t_is_that_of_the_tables(confidence: float, degrees: int, expected: float) -> None:
    assert quantile(confidence, degrees) == pytest.approx(expected, abs=0.001)


def test_what_changes_from_round_to_round_cancels() -> None:
    found = ratio([100, 200, 400, 150], [121, 238, 484, 180])
    assert found is not None
    assert found.ratio == pytest.approx(1.2, abs=0.01)
    assert 1.1 < found.low < found.ratio < found.high < 1.3
    assert found.is_sure


def test_a_small_difference_is_not_reported_however_sure() -> None:
    found = ratio([100, 200, 400, 150], [101, 202, 404, 151.5])
    assert found is not None
    assert found.low > 1
    assert not found.is_sure


def test_one_round_says_nothing() -> None:
    assert ratio([100], [200]) is None
    assert ratio([100, 0], [200, 200]) is None


def _found(regression: float, noise: float, rounds: int) -> int:
    """How many of 2 000 comparisons with that noise of a round find something."""
    chance = random.Random(7)
    count = 0
    for _ in range(2000):
        before = [chance.lognormvariate(0, noise) for _ in range(rounds)]
        after = [regression * chance.lognormvariate(0, noise) for _ in range(rounds)]
        result = ratio(before, after)
        count += result is not None and result.is_sure
    return count


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_without_a_difference_one_in_a_hundred_finds_one_at_most(noise: float) -> None:
    assert _found(1.0, noise, 6) <= 35


def test_a_fifth_more_is_found_when_rounds_differ_by_three_hundredths() -> None:
    assert _found(1.2, 0.03, 6) >= 1990


def test_several_figures_share_the_confidence() -> None:
    assert shared(0.99, 4) == pytest.approx(0.9975)
    assert shared(0.99, 0) == 0.99


def test_a_spread_is_the_median_the_lowest_and_the_highest() -> None:
    found = spread([3, 1, 2])
    assert found is not None
    assert (found.median, found.low, found.high) == (2, 1, 3)
    assert spread([]) is None
