"""Histories of answers in, who gets requests out."""

from __future__ import annotations

import pytest

from portico.errors import PorticoError
from portico.run.upstream.health import Answer
from portico.run.upstream.watcher import Server, Servers, drained, heard, known, without_requests

GOOD, BAD = Answer(status=200), Answer(status=500)


def replay(history: str, servers: Servers | None = None) -> Servers:
    """ "a+ b- c+": server a answered well, b badly, c well."""
    servers = servers or known((), ("a", "b", "c"))
    for moment, word in enumerate(history.split()):
        servers = heard(servers, word[0], GOOD if word[1] == "+" else BAD, float(moment))
    return servers


@pytest.mark.parametrize(
    ("history", "out"),
    [
        ("a+ b+ c+", ""),
        ("a-", ""),
        ("a- a-", "a"),
        ("a- a+ a- a+", ""),
        ("a- a- a+", "a"),
        ("a- a- a+ a+", ""),
        ("a- a- a+ a- a+", "a"),
        ("a- a- b- b-", "ab"),
        ("a- a- b- b- c- c- c-", "ab"),
        ("a- a- b- b- c- c- a+ a+ c-", "bc"),
        ("a- a- b- b- c- c- a+ a+ b+ b+", ""),
    ],
)
def test_two_bad_answers_take_a_server_out_and_two_good_ones_bring_it_back(history: str, out: str) -> None:
    assert without_requests(replay(history)) == set(out)


def test_a_404_is_the_answer_of_a_server_that_works() -> None:
    servers = known((), ("a", "b"))
    for _ in range(3):
        servers = heard(servers, "a", Answer(status=404), 1.0)
    assert not without_requests(servers)


def test_a_drained_server_stays_drained_however_well_it_is() -> None:
    servers = drained(known((), ("a", "b", "c")), "a", 1.0)
    assert without_requests(replay("a+ a+ a+", servers)) == {"a"}
    assert without_requests(drained(servers, "a", 2.0, undo=True)) == set()


def test_the_last_server_is_neither_drained_nor_taken_out() -> None:
    servers = drained(drained(known((), ("a", "b", "c")), "a", 1.0), "b", 2.0)
    with pytest.raises(PorticoError, match="c is the last server that gets requests"):
        drained(servers, "c", 3.0)
    assert without_requests(replay("c- c- c-", servers)) == {"a", "b"}


def test_a_server_that_is_unknown_is_named_with_the_known_ones() -> None:
    with pytest.raises(PorticoError, match='no server is called "d"\n  there are: a, b, c'):
        drained(known((), ("a", "b", "c")), "d", 1.0)


def test_a_reload_keeps_what_is_known_of_the_servers_that_stay() -> None:
    servers = known(replay("a- a-"), ("a", "d"))
    assert [server.name for server in servers] == ["a", "d"]
    assert without_requests(servers) == {"a"}


def test_a_reload_that_leaves_only_servers_that_are_out_lets_them_in() -> None:
    assert known(replay("a- a-"), ("a",)) == (Server("a", bad=2, answer="status 500", since=1.0),)
