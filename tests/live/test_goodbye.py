"""Clients of WebSockets get Close 1001 wherever Portico must end them, so that they connect again at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import httpx
import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection

from portico.run.gateway import goodbye, old
from portico.run.gateway.nginx.program import NGINX
from portico.run.gateway.workers import leaving
from tests.live.test_sites import Gateway, site
from tests.support import (
    GATEWAY,
    Served,
    end,
    portico,
    private_directory,
    rewrite,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.clients import talk
from tests.support.until import until

if TYPE_CHECKING:
    from portico.plan.model import Plan

WSGI = """
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
ASGI = """
import pathlib

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"home"})
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (said := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": said["text"]})
    with pathlib.Path("left.txt").open("a") as file:
        file.write(f"{said['type']} {said['code']}\\n")
"""
APPS = {"wsgi": WSGI, "asgi": ASGI}
TOML = '[nginx]\nserver = ["add_header X-Conf {} always;"]\n'


@pytest.fixture(params=[("wsgi", "embedded"), ("asgi", "embedded"), ("wsgi", "system")], ids="-".join)
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    kind, nginx = request.param
    files = {"app.py": APPS[kind], "portico.toml": TOML.format("a")}
    with served(files, "--nginx", nginx, "--request-timeout", "30s") as made:
        yield made


@pytest.fixture
def talks() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@contextmanager
def talking(port: int, host: str = "a.example") -> Iterator[ClientConnection]:
    with talk(port, "/echo", host) as connection:
        connection.send("hello")
        assert connection.recv(60) == "hello"
        yield connection


def says_goodbye(connection: ClientConnection) -> None:
    with pytest.raises(ConnectionClosedOK, match="1001"):
        connection.recv(60)


@pytest.mark.of_nginx
def test_an_old_worker_of_nginx_says_goodbye_before_it_is_ended_and_others_talk_on(
    run: Served, talks: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = talks.enter_context(talking(run.port))
    rewrite(run.directory / "portico.toml", TOML.format("b"))
    assert portico("reload", cwd=run.directory).returncode == 0
    until(lambda: httpx.get(run.url, timeout=60).headers["X-Conf"] == "b", "the new configuration")
    master = run.master().pid
    until(lambda: len(leaving(NGINX, master)) == 1, "one old worker")
    (pid,) = leaving(NGINX, master)
    after = talks.enter_context(talking(run.port))
    monkeypatch.setattr(goodbye, "HEARD_SECONDS", 60.0)
    asyncio.run(
        old._end(NGINX, pid, cast("Plan", SimpleNamespace(runtime=str(run.runtime), sites=(), listens=())))
    )
    says_goodbye(before)
    assert not (run.runtime / "leaving").exists()
    after.send("still there?")
    assert after.recv(60) == "still there?"
    run.process.send_signal(signal.SIGTERM)
    says_goodbye(after)
    assert run.process.wait(60) == -signal.SIGTERM
    if (left := run.directory / "left.txt").exists():  # the ASGI app's
        assert left.read_text() == "websocket.disconnect 1001\n" * 2


def test_a_gateway_of_several_sites_says_goodbye_when_it_stops() -> None:
    # httpd's uwsgi module carries no WebSockets.
    files = site("first", ASGI if os.environ.get(GATEWAY) else WSGI) | site("second", ASGI)
    with private_directory() as home, ExitStack() as stack:
        write_files(home, files)
        running = start(home, "sites", "--workers", "1", "--request-timeout", "30s")
        stack.callback(end, running)
        until_ready(running)
        gateway = Gateway(running)
        gateway.eventually(lambda: gateway.get("first.example")[0] == gateway.get("second.example")[0] == 200)
        talks = [
            stack.enter_context(talking(running.port, f"{name}.example")) for name in ("first", "second")
        ]
        running.process.send_signal(signal.SIGTERM)
        for talk in talks:
            says_goodbye(talk)
        assert running.process.wait(60) == -signal.SIGTERM
