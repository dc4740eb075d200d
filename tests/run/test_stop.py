"""Stopping: what is in progress is finished, what is idle is not waited for, a second signal hurries."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from typing import TYPE_CHECKING

from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site


def test_request_in_flight_is_finished(site: Site) -> None:
    site.start()
    answer = site.begin_slow(3)
    assert site.stop() == 143
    assert answer() == (200, "1")
    site.assert_nothing_is_left()


def test_no_new_connection_while_draining(site: Site) -> None:
    site.start()
    answer = site.begin_slow(6)
    site.send(signal.SIGTERM)
    site.hear("Stopping")
    until(lambda: _is_refused(site))
    assert answer() == (200, "1")
    assert site.wait() == 143


def _is_refused(site: Site) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", site.port)) != 0


def test_idle_keep_alive_connection_does_not_delay_the_end(site: Site) -> None:
    site.start(keepalive=60, drain=50)
    idle = http.client.HTTPConnection("127.0.0.1", site.port)
    idle.request("GET", "/")
    idle.getresponse().read()
    began = time.monotonic()
    assert site.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 40, "keepalive_min_timeout is 60 s, and a stop may take 50 s"
    site.assert_nothing_is_left()


def test_second_signal_hurries(site: Site) -> None:
    site.start(drain=60)
    answer = site.begin_slow(60)
    site.send(signal.SIGINT)
    site.hear("Stopping")
    began = time.monotonic()
    assert site.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 50
    answer()
    site.assert_nothing_is_left()


def test_drain_is_bounded(site: Site) -> None:
    site.start(drain=3)  # stop_seconds is 6
    answer = site.begin_slow(60)
    began = time.monotonic()
    assert site.stop() == 143
    assert time.monotonic() - began < 50
    answer()
    site.assert_nothing_is_left()
