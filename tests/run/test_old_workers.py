"""nginx's old workers after reloads: transfers go on, and their number has a bound."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from portico.plan.subjects import OldWorkers
from portico.run.gateway.nginx.program import NGINX
from portico.run.gateway.old import Old, surplus
from portico.run.gateway.workers import leaving
from tests.support.until import until
from tests.support.wire import read_all, read_until

if TYPE_CHECKING:
    from tests.run.conftest import Site

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"


@pytest.mark.parametrize(
    ("old", "bound", "ended"),
    [
        ([Old(1, 10, 5), Old(2, 20, 5)], OldWorkers(2, 10), []),
        ([Old(1, 20, 5), Old(2, 10, 5), Old(3, 30, 5)], OldWorkers(2, 100), [2]),
        ([Old(1, 10, 5), Old(2, 20, 5), Old(3, 30, 5)], OldWorkers(9, 5), [1, 2]),
    ],
)
def test_the_oldest_are_beyond_the_bound(old: list[Old], bound: OldWorkers, ended: list[int]) -> None:
    assert [one.pid for one in surplus(old, bound)] == ended


def test_the_oldest_worker_is_ended_with_a_notice_and_the_others_finish(site: Site) -> None:
    site.start(drain=3)
    uploads = []
    for number in (1, 2, 3):
        uploads.append(_begun_upload(site))
        site.wish(mark=f"m{number}", drain=3, old_workers=2 if number == 3 else 9)
        site.reload()
        site.hear("Switched")
        if number < 3:
            until(lambda now=number: len(leaving(NGINX, site.gateway())) == now)  # type: ignore[misc]
    assert site.hear("OldWorkerEnded")["count"] > 2
    first, *others = uploads
    assert read_all(first) == b"", "the oldest is cut"
    for one in others:
        one.sendall(b"body")
        assert one.makefile("rb").read().startswith(b"HTTP/1.1 200")
    until(lambda: not leaving(NGINX, site.gateway()))
    assert (site.app / "posts.log").read_text() == "body\n" * 2
    assert site.stop() == 143
    site.assert_nothing_is_left()


def test_an_old_worker_that_holds_on_does_not_delay_a_stop(site: Site) -> None:
    site.start(drain=3)  # stop_seconds is 6, worker_shutdown_timeout an hour
    upload = _begun_upload(site)
    site.wish(mark="b", drain=3)
    site.reload()
    site.hear("Switched")
    assert site.stop() == 143
    assert upload.recv(100) == b"", "closed in order, not reset"
    assert not any(one.get("killed") for one in site.notices)
    site.assert_nothing_is_left()


def _begun_upload(site: Site) -> socket.socket:
    """A request whose body nginx has begun to read."""
    connection = socket.create_connection(("127.0.0.1", site.port), 60)
    connection.sendall(HEAD)
    going_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read_until(connection, going_on) == going_on
    return connection
