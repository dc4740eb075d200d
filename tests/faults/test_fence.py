"""What the rows of the fault matrix must not let pass."""

from __future__ import annotations

from tests.faults.clients import Asked, Clients
from tests.faults.kills import was_away

KILLED, SEEN = 10.0, 12.0


def _asked(began: float, ended: float, *, is_kept: bool = False, client: int = 0) -> Asked:
    return Asked("GET /", client, is_kept, "", began, ended, 0, "refused")


def _may_fail(asked: Asked, *before: Asked) -> bool:
    clients = Clients(1, 1)
    clients.asked += [*before, asked]
    return was_away(asked, [(KILLED, SEEN)], clients)


def test_a_request_may_be_lost_until_the_recovery_is_seen_and_not_after() -> None:
    assert _may_fail(_asked(9.9, 10.1))
    assert _may_fail(_asked(11.9, 12.3))
    assert not _may_fail(_asked(9.8, 9.9))
    assert not _may_fail(_asked(12.1, 12.2))


def test_a_kept_connection_that_a_death_closed_is_lost_once() -> None:
    idle = _asked(9.0, 9.1, is_kept=True)
    first = _asked(12.1, 12.2, is_kept=True)
    assert _may_fail(first, idle)
    assert not _may_fail(_asked(12.3, 12.4, is_kept=True), idle, first)
