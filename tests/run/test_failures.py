"""What failed beside the serving: told, tried again less and less often, gone when it works for a while."""

from __future__ import annotations

import pytest

from portico import backoff
from portico.run.watchers import failures
from portico.run.watchers.failures import LONGEST_PAUSE_SECONDS, STEADY_SECONDS, Failures


@pytest.mark.parametrize(("count", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (10**9, 10)])
def test_a_pause_doubles_up_to_the_longest(count: int, seconds: float) -> None:
    assert backoff.pause(count, first=1, longest=10) == seconds


def test_what_worked_in_between_waits_the_rest() -> None:
    assert backoff.less_served(8, None, longest=2, least=0.1) == 8
    assert backoff.less_served(8, 0.5, longest=2, least=0.1) == 1.5
    assert backoff.less_served(8, 60, longest=2, least=0.1) == 0.1


def test_a_watcher_that_fails_again_and_again_is_started_less_often() -> None:
    known: Failures = {}
    pauses = []
    for now in range(100, 110):
        known = failures.failed(known, "the disk", "OSError: gone", now)
        pauses.append((known["the disk"].due or 0) - now)
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert known["the disk"].since == 100
    assert known["the disk"].count == 10


def test_one_of_many_things_fails_by_itself() -> None:
    known = failures.looked({}, "server", {"b": "OSError: x"}, 100)
    assert list(known) == ["server b"]
    assert known["server b"].due is None
    # Another watcher says nothing about it, neither does one whose name begins alike.
    assert failures.looked(known, "serve", {}, 900) == failures.looked(known, "the disk", {}, 900) == known
    assert failures.looked(known, "server", {}, 100 + STEADY_SECONDS) == {}


def test_what_works_and_fails_in_turn_has_not_recovered() -> None:
    known = failures.failed({}, "the log", "OSError: x", 100)
    known = failures.looked(known, "the log", {}, 101)
    assert known["the log"].is_well
    assert failures.swept(known, 102) == known
    known = failures.failed(known, "the log", "OSError: x", 103)
    assert known["the log"].count == 2
    assert failures.swept(known, 900) == known, "it has not worked since"
    known = failures.looked(known, "the log", {}, 104)
    assert failures.swept(known, 103 + STEADY_SECONDS) == {}
