"""What the rows of the fault matrix must not let pass."""

from __future__ import annotations

from tests.faults.clients import Clients
from tests.faults.kills import was_away
from tests.support.clients import Asked

KILLED, SEEN = 10.0, 12.0


def _asked(began: float, ended: float, *, is_kept: bool = False, client: int = 0, status: int = 0) -> Asked:
    return Asked("GET /", client, is_kept, "", began, ended, status, "" if status else "refused")


def _may_fail(asked: Asked, *before: Asked) -> bool:
    clients = Clients(1, count=1)
    clients.asked += [*before, asked]
    return was_away(asked, [(KILLED, SEEN)], clients)


def test_a_request_may_be_lost_until_the_recovery_is_seen_and_not_after() -> None:
    assert _may_fail(_asked(9.9, 10.1))
    assert _may_fail(_asked(11.9, 12.3))
    assert not _may_fail(_asked(9.8, 9.9))
    assert not _may_fail(_asked(12.1, 12.2))


def test_a_kept_connection_that_a_death_closed_is_lost_once() -> None:
    idle = _asked(9.0, 9.1, is_kept=True, status=200)
    first = _asked(12.1, 12.2, is_kept=True)
    assert _may_fail(first, idle)
    assert not _may_fail(_asked(12.3, 12.4, is_kept=True), idle, first)


def test_an_answer_of_before_a_death_may_be_read_after_it() -> None:
    read_late = _asked(9.9, 12.05, is_kept=True, status=200)
    assert _may_fail(_asked(12.1, 12.2, is_kept=True), read_late)
    failed = _asked(9.9, 12.05, is_kept=True)  # after which there was a new connection
    assert not _may_fail(_asked(12.1, 12.2, is_kept=True), failed)
