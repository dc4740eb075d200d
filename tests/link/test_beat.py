"""When a worker is silent for too long, told by a clock of the test's own."""

from __future__ import annotations

import os

import pytest

from portico.link.gunicorn import beat
from portico.link.gunicorn.beat import Beat


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(beat, "time", made)
    return made


def looks(clock: Clock, watched: Beat, seconds: int) -> list[int]:
    """After how many seconds of silence the arbiter, which looks each second, would have ended it."""
    found = []
    for second in range(1, seconds + 1):
        clock.now += 1
        if watched.look(os.getpid()):
            found.append(second)
    return found


def begun(clock: Clock, seconds: float, longest: float = 0.0) -> Beat:
    made = Beat()
    made.start(seconds)
    made.look(os.getpid())
    made.set(longest, 1)
    return made


def test_a_worker_that_has_not_begun_or_has_ended_is_not_silent(clock: Clock) -> None:
    made = Beat()
    assert looks(clock, made, 100) == []
    made.start(2)
    made.set(0, 1)
    made.stop()
    assert looks(clock, made, 100) == []


def test_it_may_be_silent_as_long_as_a_request_may_take(clock: Clock) -> None:
    assert looks(clock, begun(clock, 5), 7) == [6, 7]
    assert looks(clock, begun(clock, 5, longest=20), 22) == [21, 22]


def test_a_request_with_a_longer_deadline_of_its_own_extends_it(clock: Clock) -> None:
    made = begun(clock, 5)
    clock.now += 0.5
    made.allow(20)
    made.allow(3)
    assert looks(clock, made, 22)[0] == 21
    clock.now += 100
    made = begun(clock, 5)
    made.allow(20)
    clock.now += 1
    made.set(0, 1)  # it began too late for the beat to have seen it
    assert looks(clock, made, 30)[0] == 20


def test_it_does_not_last_longer_than_that_request(clock: Clock) -> None:
    made = begun(clock, 5)
    made.allow(20)
    for _ in range(2):
        clock.now += 1
        made.set(0, 1)
    assert looks(clock, made, 30)[0] == 6


def test_it_beats_on(clock: Clock) -> None:
    made = begun(clock, 5)
    for _ in range(20):
        assert looks(clock, made, 3) == []
        made.set(0, 3)


def test_a_machine_that_was_stopped_counts_as_one_look(clock: Clock) -> None:
    made = begun(clock, 5)
    assert looks(clock, made, 2) == []
    clock.now += 3600
    assert not made.look(os.getpid())


def test_late_beats_make_it_patient(clock: Clock) -> None:
    made = begun(clock, 5)
    clock.now += 3  # two seconds late
    made.set(0, 1)
    made.look(os.getpid())
    assert looks(clock, made, 20)[0] == 14


def test_a_worker_that_somebody_has_stopped_is_not_silent(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(clock, 5)
    with monkeypatch.context() as stopped:
        stopped.setattr(beat, "_is_stopped", lambda _: True)
        assert looks(clock, made, 100) == []
    assert looks(clock, made, 7) == [6, 7]
