"""The control socket: who runs, and orders that answer with what came of them."""

from __future__ import annotations

import os
import signal
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from portico.errors import PorticoError
from portico.run.control import client
from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site


def test_status_tells_what_runs(site: Site) -> None:
    site.start()
    (seen,) = client.lines(str(site.runtime), "GET", "/status")
    assert (seen["pid"], seen["phase"], seen["live"]) == (site.pid, "serving", 1)
    assert seen["gateway"]["pid"] == site.gateway()
    assert [(g["number"], g["status"], g["pid"]) for g in seen["releases"]] == [(1, "well", site.arbiter())]
    assert stat.S_IMODE((site.runtime / "control.sock").stat().st_mode) == 0o600


def test_reload_is_told_step_by_step(site: Site) -> None:
    site.start(release="old")
    site.wish(release="new")
    told = [line["notice"] for line in client.lines(str(site.runtime), "POST", "/reload")]
    assert told == ["Reloading", "Booting", "Switched"]
    assert site.get() == (200, "new")


def test_broken_reload_ends_with_its_reason(site: Site) -> None:
    site.start()
    site.wish(refuse="unknown key")
    *_, last = client.lines(str(site.runtime), "POST", "/reload")
    assert last["notice"] == "ReleaseDropped"
    assert last["problems"][0]["what"] == "unknown key"


def test_stop_ends_with_zero(site: Site) -> None:
    site.start()
    assert list(client.lines(str(site.runtime), "POST", "/stop")) == [{"stopping": site.pid}]
    assert site.wait() == 0
    site.assert_nothing_is_left()


def test_unknown_order_names_the_known(site: Site) -> None:
    site.start()
    with pytest.raises(PorticoError, match=r"POST /fly: one of GET /status, .*POST /reload, "):
        list(client.lines(str(site.runtime), "POST", "/fly"))


def test_unknown_parameter_is_refused_before_anything_happens(site: Site) -> None:
    site.start()
    with pytest.raises(PorticoError, match="POST /stop: unknown parameter 'höhe'; it takes none"):
        list(client.lines(str(site.runtime), "POST", "/stop", höhe="7 & 8"))
    assert site.get()[0] == 200


def test_a_command_that_is_too_long_says_so(site: Site) -> None:
    site.start()
    with pytest.raises(PorticoError, match="too long: a command and its words may have 64 KiB"):
        list(client.lines(str(site.runtime), "POST", "/maintenance/on", message="x" * 300_000))
    assert next(client.lines(str(site.runtime), "GET", "/status"))["phase"] == "serving"


def test_what_a_gateway_passes_on_is_no_command(site: Site) -> None:
    """An app may put a link to this socket in the place of its own, and nginx of the same user follows it."""
    site.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(site.runtime / "control.sock"))
        connection.sendall(b"POST /stop HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n")
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 403 ")
    assert site.get()[0] == 200


def test_nothing_runs(site: Site) -> None:
    with pytest.raises(PorticoError, match="nothing runs here"):
        list(client.lines(str(site.runtime), "GET", "/status"))


def test_a_stopped_portico_is_said_and_orders_of_those_who_left_are_not_executed(site: Site) -> None:
    site.start()
    os.kill(site.pid, signal.SIGSTOP)
    try:
        until(lambda: client.is_stopped(str(site.runtime)))
        with pytest.raises(PorticoError, match=rf"is stopped .*\n  continue it: kill -CONT {site.pid}"):
            list(client.lines(str(site.runtime), "POST", "/stop"))
        with socket.socket(socket.AF_UNIX) as impatient:
            impatient.connect(str(site.runtime / "control.sock"))
            impatient.sendall(b"POST /stop HTTP/1.1\r\n\r\n")
    finally:
        os.kill(site.pid, signal.SIGCONT)
    assert next(client.lines(str(site.runtime), "GET", "/status"))["phase"] == "serving"
    assert site.get()[0] == 200
