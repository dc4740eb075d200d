"""One client cannot hold all there is: its share is bounded, the others are served meanwhile."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import Served, end, private_directory, start, until_ready, write_files

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
            time.sleep(0.5)  # asks a database, which has nothing new
    return Response(lines(), mimetype="text/event-stream")

@app.post("/upload")
def upload():
    return "received"
"""
TOML = """
behind = ["127.0.0.1/32"]
[workers]
count = 1
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


def status(connection: socket.socket) -> int:
    return int(connection.recv(4096).split()[1])


def once(run: Served, client: str) -> int:
    with ask(run, client) as connection:
        return status(connection)


@pytest.mark.parametrize(
    ("clients", "same", "other"),
    [
        (["203.0.113.1"], "203.0.113.1", "203.0.113.2"),
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
    until_served(run, same)


def until_served(run: Served, client: str) -> None:
    give_up = time.monotonic() + 60
    while once(run, client) != 200:
        assert time.monotonic() < give_up, f"{client} is refused, though it holds nothing any more"
        time.sleep(0.05)


def test_of_bodies_that_may_go_to_disk_one_client_sends_a_part(run: Served) -> None:
    most = share(run, "portico_bodies")
    with ExitStack() as held:
        for _ in range(most):
            held.enter_context(ask(run, "203.0.113.9", "/upload", "Content-Length: 100000\r\n"))
        give_up = time.monotonic() + 60
        while True:  # nginx has read all of those heads
            with ask(run, "203.0.113.9", "/upload", "Content-Length: 100000\r\n") as one:
                one.settimeout(0.5)
                try:
                    assert status(one) == 429
                    break
                except (TimeoutError, ConnectionResetError):  # refused, and reset before we read why
                    assert time.monotonic() < give_up
        with ask(run, "203.0.113.8", "/upload", "Content-Length: 0\r\n") as small:
            assert status(small) == 200


def test_everything_that_portico_starts_may_open_what_the_hard_limit_allows(run: Served) -> None:
    soft = {
        re.search(r"Max open files +(\d+)", Path(f"/proc/{one.pid}/limits").read_text())[1]  # type: ignore[index]
        for one in [*run.called("gunicorn"), *run.called("nginx: ")]
    }
    assert soft == {str(HARD)}
