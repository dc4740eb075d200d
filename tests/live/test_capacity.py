"""One client cannot hold all there is: its share is bounded, the others are served meanwhile."""

from __future__ import annotations

import re
import select
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import Served, end, private_directory, start, until_ready, write_files
from tests.support.until import until
from tests.support.wire import status

APP = """
import time
from flask import Flask, Response

app = Flask(__name__)

@app.get("/")
def home():
    return "home"

@app.get("/events")
def events():
    def lines():
        yield "data: here\\n\\n"
        while True:
            time.sleep(0.5)
            yield ":\\n\\n"
    return Response(lines(), mimetype="text/event-stream")

@app.post("/upload")
def upload():
    return "received"
"""
# On a busy machine requests wait for the app, and the fair share of an overload (6) would be asked before that of
# connections, which these tests are about.
TOML = """
behind = ["127.0.0.1/32"]
[workers]
count = 1
queue = "0s"
[nginx]
server = ["location = /own { return 204; }"]
"""
HARD, SOFT = 700, 300


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    """With few files, so that few connections are all there is."""
    with private_directory() as home:
        write_files(home, {"app.py": APP, "portico.toml": TOML})
        python = home / "python"
        python.write_text(
            f'#!/bin/sh\nulimit -S -n {SOFT}; ulimit -H -n {HARD}; exec {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        made = start(home, "--nginx", request.param, python=str(python))
        try:
            until_ready(made)
            yield made
        finally:
            end(made)


def share(run: Served, zone: str = "portico_held") -> int:
    """Requests that one client may have in progress, by the configuration in force."""
    found = re.search(rf"limit_conn {zone} (\d+);", (run.runtime / "conf" / "nginx.conf").read_text())
    assert found
    return int(found[1])


def ask(run: Served, client: str, path: str = "/", head: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", run.port), 60)
    named = f"X-Forwarded-For: {client}\r\n" if client else ""
    method = "POST" if head else "GET"
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{named}{head}\r\n".encode())
    return connection


def once(run: Served, client: str) -> int:
    with ask(run, client) as connection:
        return status(connection)


@pytest.mark.of_nginx  # httpd counts no requests in progress
@pytest.mark.parametrize(
    ("clients", "same", "other"),
    [
        (["203.0.113.1", "::ffff:203.0.113.1"], "::ffff:cb00:7101", "::ffff:203.0.113.2"),
        (["2001:db8:a:b::1", "2001:db8:a:b:ffff::a:0"], "2001:db8:a:b::c", "2001:db8:a:c::1"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_of_event_streams_one_client_gets_its_share_and_no_more(
    run: Served, clients: list[str], same: str, other: str
) -> None:
    most = share(run)
    with ExitStack() as held:
        streams = [
            held.enter_context(ask(run, clients[n % len(clients)], "/events")) for n in range(most + 12)
        ]
        assert Counter(map(status, streams)) == {200: most, 429: 12}
        assert (once(run, same), once(run, other)) == (429, 200)
        assert status(held.enter_context(ask(run, "", "/events"))) == 200  # a proxy stands for many
    until_nothing_is_held(run)
    assert once(run, same) == 200


def until_nothing_is_held(run: Served) -> None:
    """Connections whose clients have left are held until the app writes.

    They would be too many together with those of the next test, and a worker of nginx that has few left closes new
    ones whose head it has not read.
    """
    until(lambda: not held_by_nginx(run), what=lambda: f"nginx holds {held_by_nginx(run)} connections")


def held_by_nginx(run: Served) -> int:
    return sum(bool(one.raddr) for worker in run.called("nginx: worker") for one in worker.net_connections())


@pytest.mark.of_nginx  # httpd counts no requests in progress
def test_of_bodies_that_may_go_to_disk_one_client_sends_a_part(run: Served) -> None:
    most, more = share(run, "portico_bodies"), 5
    with ExitStack() as held:
        uploads = [
            held.enter_context(ask(run, "203.0.113.9", "/upload", "Content-Length: 10000\r\n"))
            for _ in range(most + more)
        ]
        refused = until(lambda: answered(uploads, more))
        assert Counter(map(status, refused)) == {429: more}
        with ask(run, "203.0.113.8", "/upload", "Content-Length: 0\r\n") as small:
            assert status(small) == 200
        others = [one for one in uploads if one not in refused]
        for one in others:
            one.sendall(b"x" * 10_000)
        assert Counter(map(status, others)) == {200: most}
    until_nothing_is_held(run)


def answered(connections: list[socket.socket], count: int) -> list[socket.socket]:
    """Those that have an answer, as soon as so many do."""
    found = select.select(connections, [], [], 1)[0]
    return found if len(found) >= count else []


def test_everything_that_portico_starts_may_open_what_the_hard_limit_allows(run: Served) -> None:
    soft = {
        re.search(r"Max open files +(\d+)", Path(f"/proc/{one.pid}/limits").read_text())[1]  # type: ignore[index]
        for one in [*run.called("gunicorn"), *run.called("nginx: ")]
    }
    assert soft == {str(HARD)}
