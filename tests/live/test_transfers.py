"""Downloads and WebSockets outlive a reload of nginx; a stop ends them in order."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosedOK

from tests.support import portico, served
from tests.support.clients import talk
from tests.support.until import until

if TYPE_CHECKING:
    from tests.support import Served

APP = """
from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)

@app.get("/")
def home():
    return "home"

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())
"""
SIZE = 24 << 20
"""More than the sockets of both sides hold."""
TOML = '[nginx]\nserver = ["send_timeout 10m;", {}]\n'
"""A reload may take longer than the half minute for which a client may read nothing."""
HTTPD = '[apache]\nserver = ["Timeout 600", {}]\n'
OLD_LIMIT_SECONDS = 3.0
"""What `request_timeout` 1 s allowed a transfer after a reload, once."""


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    files = {"app.py": APP, "static/big.bin": "x" * SIZE, "portico.toml": TOML.format("")}
    with served(files, "--nginx", request.param, "--request-timeout", "1s") as run:
        yield run


@pytest.mark.of_nginx  # its old workers; httpd's uwsgi module carries no WebSockets
def test_a_reload_of_nginx_cuts_no_download_and_no_websocket_and_a_stop_ends_them(run: Served) -> None:
    with (
        talk(run.port, "/echo") as open_talk,
        _download(run) as first,
        _download(run) as second,
    ):
        begun = first.recv(4096)
        second.recv(4096)
        open_talk.send("hello")
        assert open_talk.recv(60) == "hello"
        workers = _workers(run)
        (run.directory / "portico.toml").write_text(TOML.format('"add_header X-Conf b always;"'))
        assert portico("reload", cwd=run.directory).returncode == 0
        until(lambda: "X-Conf" in httpx.get(run.url, timeout=60).headers)
        time.sleep(OLD_LIMIT_SECONDS + 1)  # longer can do no harm
        assert workers & _workers(run), "the old worker holds on"
        rest = first.makefile("rb").read()
        assert len((begun + rest).partition(b"\r\n\r\n")[2]) == SIZE
        open_talk.send("still there?")
        assert open_talk.recv(60) == "still there?"
        run.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedOK, match="1001"):
            open_talk.recv(60)
        assert run.process.wait(60) == -signal.SIGTERM
    lines = [line for line in run.requests() if line["uri"] == "/static/big.bin"]
    assert len(lines) == 2, "the download that the stop cut is logged, too"
    assert min(line["bytes_out"] for line in lines) < SIZE


def test_a_reload_of_httpd_cuts_no_download_and_a_stop_ends_it() -> None:
    files = {"app.py": APP, "static/big.bin": "x" * SIZE, "portico.toml": HTTPD.format("")}
    with (
        served(files, "--gateway", "apache", "--request-timeout", "1s") as run,
        _download(run) as first,
        _download(run) as second,
    ):
        begun = first.recv(4096)
        second.recv(4096)
        (run.directory / "portico.toml").write_text(HTTPD.format('"Header always set X-Conf b"'))
        assert portico("reload", cwd=run.directory).returncode == 0
        until(lambda: "X-Conf" in httpx.get(run.url, timeout=60).headers)
        time.sleep(OLD_LIMIT_SECONDS + 1)
        rest = first.makefile("rb").read()
        assert len((begun + rest).partition(b"\r\n\r\n")[2]) == SIZE
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(60) == -signal.SIGTERM
        sent = [line["bytes_out"] for line in run.requests() if line["uri"] == "/static/big.bin"]
        assert len(sent) == 2, "the download that the stop cut is logged, too"
        assert min(sent) < SIZE <= max(sent)


def _download(run: Served) -> socket.socket:
    """A client that reads only what it is told to."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", run.port))
    connection.sendall(b"GET /static/big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return connection


def _workers(run: Served) -> set[int]:
    master = run.master().pid
    return set(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))
