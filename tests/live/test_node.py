"""Several hosts behind one gateway, all of them Portico: on loopback, each with directories of its own."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.live.backends import ask
from tests.live.test_upstream import until
from tests.support import Served, served
from tests.support.clients import STRANGERS_WHO_POST, Clients, talk

APP = """
import os
from flask import Flask, jsonify, request
from flask_sock import Sock
app = Flask(__name__)
sock = Sock(app)
@sock.route("/echo")
def echo(ws):
    ws.send(os.environ["NODE"] + ws.receive())
@app.route("/", methods=["GET", "POST"])
def here():
    return os.environ["NODE"]
@app.get("/who")
def who():
    return jsonify(addr=request.remote_addr, url=request.url, scheme=request.scheme)
"""


class Cluster(NamedTuple):
    gateway: Served
    a: Served
    b: Served


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    node = {"app.py": APP, "portico.toml": 'node = ["127.0.0.1"]\n'}
    with served(node, env={"NODE": "a"}) as a, served(node, env={"NODE": "b"}) as b:
        toml = f'[upstream]\nservers = ["127.0.0.1:{a.port}", "127.0.0.1:{b.port}"]\ncheck = "200ms"\n'
        with served({"portico.toml": toml + 'check_path = "/-/health"\n'}) as gateway:
            yield Cluster(gateway, a, b)


def get_from(source: str, port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    connection.request("GET", path)
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_node_answers_its_gateway_and_closes_on_anybody_else(cluster: Cluster) -> None:
    assert Counter(ask(cluster.gateway.port)[1] for _ in range(10)) == {"a": 5, "b": 5}
    assert get_from("127.0.0.1", cluster.a.port, "/-/health").strip() == b"ok"
    for path in ("/", "/-/health", "/nowhere"):
        if cluster.a.is_apache:
            assert b"Misdirected Request" in get_from("127.0.0.9", cluster.a.port, path)
        else:
            with pytest.raises(ConnectionResetError):
                get_from("127.0.0.9", cluster.a.port, path)


def test_the_app_sees_the_client_and_the_host_of_the_gateway(cluster: Cluster) -> None:
    seen = json.loads(get_from("127.0.0.9", cluster.gateway.port, "/who"))
    assert seen == {"addr": "127.0.0.9", "url": f"{cluster.gateway.url}/who", "scheme": "http"}


@pytest.mark.of_nginx  # httpd's uwsgi module carries no WebSockets
def test_a_websocket_goes_through_gateway_and_node(cluster: Cluster) -> None:
    heard = set()
    for _ in range(2):
        with talk(cluster.gateway.port, "/echo") as socket:
            socket.send("!")
            heard.add(socket.recv(60))
    assert heard == {"a!", "b!"}


def test_a_node_that_stops_or_releases_is_missed_by_nobody(cluster: Cluster) -> None:
    with Clients(cluster.gateway.port, STRANGERS_WHO_POST) as load:
        time.sleep(0.3)
        cluster.b.process.send_signal(signal.SIGHUP)
        until(lambda: "release 2 serves" in cluster.b.stderr())
        cluster.a.stop()
        until(lambda: "is out" in cluster.gateway.stderr())
        time.sleep(0.5)
    assert not load.failed
    assert load.statuses(0)[200] > 20
