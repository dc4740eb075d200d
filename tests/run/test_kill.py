"""kill -9 of anything: service comes back, or nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site
    from tests.support.clients import Clients

AT_ONCE_SECONDS = 0.1
"""How long Portico waits before it starts a process again that served well; the rest is the machine's."""


def test_app_worker(site: Site, clients: Callable[..., Clients]) -> None:
    site.start(workers=2)
    with clients() as load:
        for _ in range(3):
            until(lambda: site.all_booted(2))
            os.kill(site.workers(site.arbiter())[0], signal.SIGKILL)
            time.sleep(0.7)
    assert len(load.failed) <= 3 * 4, load.failed
    assert site.get()[0] == 200


def test_arbiter(site: Site, clients: Callable[..., Clients]) -> None:
    """Its listening socket lives on in Portico: requests wait for the next arbiter instead of failing."""
    site.start(workers=2)
    old = site.arbiter()
    with clients() as load:
        os.kill(old, signal.SIGKILL)
        assert site.hear("Restarting")["in_seconds"] < AT_ONCE_SECONDS
        site.hear("Recovered")
        until(lambda: len(load.good) > 20)
    assert load.failed == []
    assert site.arbiter() != old
    assert site.stop() == 143
    site.assert_nothing_is_left()


def test_arbiter_again_and_again(site: Site) -> None:
    site.start()
    for _ in range(3):
        os.kill(site.arbiter(), signal.SIGKILL)
        site.hear("Recovered")
        assert site.get()[0] == 200


def test_nginx_worker(site: Site) -> None:
    site.start()
    for pid in site.workers(site.gateway()):
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    assert site.get()[0] == 200


def test_nginx_master(site: Site) -> None:
    """Its orphans neither hold the port nor go on serving the old configuration."""
    site.start()
    master = site.gateway()
    orphans = site.workers(master)
    os.kill(master, signal.SIGKILL)
    assert site.hear("Restarting")["in_seconds"] < AT_ONCE_SECONDS
    site.hear("Recovered")
    assert site.get()[0] == 200
    assert site.gateway() != master
    until(lambda: not set(orphans) & set(site.processes()))


def test_nginx_master_with_a_request_in_flight(site: Site) -> None:
    site.start()
    answer = site.begin_slow(2)
    os.kill(site.gateway(), signal.SIGKILL)
    site.hear("Recovered")
    assert answer() == (200, "1")


def test_portico_itself_leaves_nothing_that_holds_the_port(site: Site) -> None:
    site.start()
    site.stop(signal.SIGKILL)
    until(lambda: site.processes() == [])


def test_portico_itself_and_start_again_at_once(site: Site) -> None:
    site.start(release="old")
    site.stop(signal.SIGKILL)
    site.start(release="new")
    assert site.get() == (200, "new")
    assert site.stop() == 143
    site.assert_nothing_is_left()


def test_portico_and_nginx_master_and_start_again(site: Site) -> None:
    """The orphaned workers get no word from the kernel: the next start finds and ends them."""
    site.start(release="old")
    master = site.gateway()
    os.kill(site.pid, signal.SIGSTOP)
    os.kill(master, signal.SIGKILL)
    site.stop(signal.SIGKILL)
    site.start(release="new")
    assert site.get() == (200, "new")
    assert site.stop() == 143
    site.assert_nothing_is_left()


def test_everything_at_once(site: Site) -> None:
    site.start()
    for pid in (site.pid, *site.leaders()):
        os.kill(pid, signal.SIGKILL)
    site.wait()
    site.start(release="new")
    assert site.get() == (200, "new")


def _patiently(site: Site) -> tuple[int, str]:
    """What a client gets that asks again: who came while a server booted waits until that has failed."""
    for _ in range(5):
        with contextlib.suppress(TimeoutError):
            return site.get(timeout=15)
    return site.get(timeout=15)


def test_crash_loop_of_a_serving_app_says_down_and_heals(site: Site) -> None:
    site.start(start=20)  # a start that never answers is given up then, three times
    good = (site.app / "app.py").read_text()
    (site.app / "app.py").write_text("raise SystemExit(1)\n")
    os.kill(site.arbiter(), signal.SIGKILL)
    while site.hear("Restarting")["crashes"] < 3:
        pass
    assert _patiently(site) == (503, "down")
    (site.app / "app.py").write_text(good)
    site.hear("Recovered")
    assert site.get()[0] == 200
