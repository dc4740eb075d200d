"""Flask-SocketIO: clients that poll are served without a setting, however many wait, and WebSockets, too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support import Served, served
from tests.support.clients import talk

CLIENTS = 20
"""More than the threads of two workers."""
APP = """
import sys
from flask import Flask
from flask_socketio import SocketIO, emit

app = Flask(__name__)
socketio = SocketIO(app, ping_interval=600)

@app.get("/waiting")
def waiting():
    frames = [frame for first in sys._current_frames().values() for frame in stack(first)]
    return str(sum(frame.f_code.co_name == "poll" and "engineio" in frame.f_code.co_filename for frame in frames))

def stack(frame):
    while frame:
        yield frame
        frame = frame.f_back

@app.post("/news")
def news():
    socketio.emit("news", "fresh")
    return "told"

@socketio.on("echo")
def echo(data):
    emit("echo", data)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": APP}) as run:
        yield run


class Poller:
    """A client that polls, as a browser without WebSockets does."""

    def __init__(self, site: Served) -> None:
        self._client = httpx.Client(verify=False, timeout=120)  # no certificates to load
        self._url = f"{site.url}/socket.io/?EIO=4&transport=polling"
        self._url += "&sid=" + json.loads(self.receive()[1:])["sid"]
        self.send("40")
        assert self.receive().startswith("40")

    def receive(self) -> str:
        answer = self._client.get(self._url)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, text: str) -> None:
        answer = self._client.post(self._url, content=text)
        assert (answer.status_code, answer.text) == (200, "OK")


def test_run_says_that_one_worker_serves(site: Served) -> None:
    assert "1 worker x 8 to " in site.stderr()
    master, *workers = sorted(site.called("gunicorn.conf.py"), key=lambda one: one.create_time())
    assert [one.ppid() for one in workers] == [master.pid], "one worker runs, whatever was started ahead"
    assert "one worker, with threads: Flask-SocketIO keeps its clients in the memory" in site.stderr()


def test_a_client_that_polls_keeps_its_session(site: Served) -> None:
    """With two workers every second request was 400: the other worker does not know the session."""
    client = Poller(site)
    for number in range(10):
        client.send(f'42["echo",{number}]')
        assert client.receive() == f'42["echo",{number}]'


def test_clients_that_wait_starve_nobody(site: Served) -> None:
    """Each request that waits held one of eight threads, and the ninth client waited for all of them."""
    clients = [Poller(site) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(client.receive) for client in clients]
        while int(site.get("/waiting").text) < CLIENTS:
            assert not any(one.done() for one in waiting)
            threading.Event().wait(0.05)
        assert site.client.post(f"{site.url}/news").text == "told"
        assert {one.result(120) for one in waiting} == {'42["news","fresh"]'}


@pytest.mark.of_nginx  # no WebSocket passes mod_proxy_uwsgi, as a note says: the client goes on to poll
def test_a_websocket_is_taken_up(site: Served) -> None:
    with talk(site.port, "/socket.io/?EIO=4&transport=websocket") as socket:
        assert str(socket.recv(60)).startswith('0{"sid"')
        socket.send("40")
        assert str(socket.recv(60)).startswith("40")
        socket.send('42["echo","up"]')
        assert socket.recv(60) == '42["echo","up"]'
