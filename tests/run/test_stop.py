"""Stopping: what is in progress is finished, what is idle is not waited for, a second signal hurries."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.run.conftest import Site


def test_request_in_flight_is_finished(site: Site) -> None:
    site.start()
    answers = list[tuple[int, str]]()
    client = threading.Thread(target=lambda: answers.append(site.get("/slow/3")))
    client.start()
    time.sleep(0.5)
    assert site.stop() == 143
    client.join()
    assert answers == [(200, "1")]
    site.assert_nothing_is_left()


def test_no_new_connection_while_draining(site: Site) -> None:
    site.start()
    client = threading.Thread(target=lambda: site.get("/slow/2"))
    client.start()
    time.sleep(0.3)
    site.send(signal.SIGTERM)
    site.hear("Stopping")
    time.sleep(0.2)
    try:
        answer = site.get()
    except OSError:
        answer = (0, "refused")
    assert answer == (0, "refused")
    client.join()
    assert site.wait() == 143


def test_idle_keep_alive_connection_does_not_delay_the_end(site: Site) -> None:
    site.start()
    idle = http.client.HTTPConnection("127.0.0.1", site.port)
    idle.request("GET", "/")
    idle.getresponse().read()
    began = time.monotonic()
    assert site.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 5, "keepalive_min_timeout is 10 s"
    site.assert_nothing_is_left()


def test_second_signal_hurries(site: Site) -> None:
    site.start()

    def ask() -> None:
        try:
            site.get("/slow/20")
        except (OSError, http.client.HTTPException):
            pass

    client = threading.Thread(target=ask)
    client.start()
    time.sleep(0.5)
    site.send(signal.SIGINT)
    site.hear("Stopping")
    began = time.monotonic()
    assert site.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 5
    client.join()
    site.assert_nothing_is_left()


def test_drain_is_bounded(site: Site) -> None:
    site.start(drain=3)  # stop_seconds is 6
    client = threading.Thread(target=lambda: _try(site, "/slow/30"))
    client.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert site.stop() == 143
    assert time.monotonic() - began < 9
    client.join()
    site.assert_nothing_is_left()


def _try(site: Site, path: str) -> None:
    try:
        site.get(path)
    except (OSError, http.client.HTTPException):
        pass
