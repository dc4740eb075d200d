"""The life of a gateway's site, and who is refused: pure, or nginx asked without anything running."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.place.model import Place
from portico.place.probe import probe
from portico.plan.bindings import Bindings, Listen
from portico.plan.host import Fragment
from portico.run.host import state
from portico.run.host.acceptable import acceptable, conflict
from portico.run.host.state import SiteState, Status
from portico.values import Address
from tests.support import free_port


def test_one_that_served_is_started_again_at_once_and_then_less_and_less_often() -> None:
    now, one = 100.0, SiteState()
    pauses: list[float] = []
    for _ in range(9):
        one = state.started(one, now)
        if not pauses:
            one = state.serving(one, now)
        one = state.ended(one, -9, "killed", now + 1)
        assert one.due is not None
        pauses.append(round(one.due - now - 1, 3))
    assert pauses == [0.05, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_what_one_served_counts_as_its_pause() -> None:
    for served, pause in ((0.0, 2.0), (1.5, 0.5), (3.0, state.AT_ONCE_SECONDS)):
        assert state.pause_after(9, served) == pause
    assert state.pause_after(9, None) == state.LONGEST_PAUSE_SECONDS


def test_one_that_was_stopped_while_it_was_down_is_not_tried_again() -> None:
    one = state.ended(state.started(SiteState(), 0.0), 4, "Traceback", 1.0)
    assert state.stopped(one, 2.0) == SiteState(Status.STOPPED, since=2.0, code=4)


def test_a_steady_one_did_not_fail_again() -> None:
    one = replace(state.serving(SiteState(failures=5), 0.0))
    assert state.ended(one, 1, "", state.STEADY_SECONDS).failures == 1


def test_one_that_was_stopped_stays_so() -> None:
    for before in (state.serving(SiteState(), 0.0), state.leaving(SiteState(), 0.0)):
        one = state.ended(before, 0, "", 1.0)
        assert (one.status, one.due, one.reason) == (Status.STOPPED, None, "")


def test_what_it_said_last_is_the_reason_until_it_serves() -> None:
    one = state.ended(state.started(SiteState(), 0.0), 4, "Traceback", 1.0)
    assert (one.reason, one.code, one.is_tried) == ("Traceback", 4, True)
    assert state.started(one, 2.0).reason == "Traceback"
    assert state.serving(state.started(one, 2.0), 3.0).reason == ""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("run", "state", "state/bodies"):
        (tmp_path / name).mkdir()
    found = probe("nginx", "embedded", tmp_path, "gateway")
    return replace(found, runtime=str(tmp_path / "run"), state=str(tmp_path / "state"))


def part(name: str, port: int, text: str = "") -> Fragment:
    address = f"127.0.0.1:{port}"
    server = f"server {{ listen {address}; server_name {name}.example; {text} }}\n"
    bindings = Bindings(name, f"{name}.toml", (Listen(address),), (f"{name}.example",))
    return Fragment(bindings, (("site.conf", server),))


def test_nginx_refuses_one_and_takes_the_others(place: Place) -> None:
    some = [part(name, 8000, "nonsense on;" if name == "b" else "") for name in "abc"]
    fit, ((left, problems),) = acceptable(some, place, None)
    assert [one.bindings.name for one in fit] == ["a", "c"]
    assert left.bindings.name == "b"
    assert problems[0].where == "b.toml"
    assert 'unknown directive "nonsense"' in problems[0].quote


def test_one_that_nginx_does_not_name_is_found(place: Place) -> None:
    """Two define one thing: nginx names the second file, or none where it notices at the end."""
    zone = (
        "}}\nlimit_req_zone $binary_remote_addr zone=same:{size} rate=1r/s;\n"
        "server {{ listen 127.0.0.1:8001; server_name {name}2;"
    )
    some = [
        part(name, 8000, zone.format(size=size, name=name))
        for name, size in (("a", "1m"), ("b", "2m"), ("c", "1m"))
    ]
    fit, refused = acceptable(some, place, None)
    assert "a" in [one.bindings.name for one in fit]
    assert "b" in [one.bindings.name for one, _ in refused]


def test_a_port_that_is_taken_costs_only_its_site(place: Place) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        some = [part("a", free_port()), part("b", port)]
        fit, ((left, problems),) = acceptable(some, place, ())
        assert [one.bindings.name for one in fit] == ["a"]
        assert left.bindings.name == "b"
        assert f"port {port} is taken" in problems[0].what
        ours = acceptable(some, place, (Address("127.0.0.1", port),))[0]
        assert len(ours) == 2, "what is open already is ours"


def test_what_another_was_promised_is_taken() -> None:
    one, other = part("a", 8000), part("b", 8000)
    wants = replace(one, bindings=Bindings("a", "a.toml", one.bindings.listen, ("b.example",)))
    assert conflict(one, [one, other], []) == ()
    assert "b.toml" in conflict(wants, [one, other], [])[0].what
    promised = Bindings("c", "c.toml", one.bindings.listen, ("new.example",))
    wants = replace(one, bindings=Bindings("a", "a.toml", one.bindings.listen, ("new.example",)))
    assert "c.toml" in conflict(wants, [one, other], [promised])[0].what
