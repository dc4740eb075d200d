"""Requests whose clients left while they waited are not executed; what was begun is finished."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Served, portico, served, until_there
from tests.support.until import until
from tests.support.wire import status

APP = """
import pathlib, time
from flask import Flask

app = Flask(__name__)
here = pathlib.Path(__file__).parent

def note(name, what):
    with (here / name).open("a") as file:
        file.write(what + "\\n")

@app.get("/")
def home():
    return "home"

@app.post("/gate/<name>")
def gate(name):
    note("begun", name)
    while not (here / f"open-{name}").exists():
        time.sleep(0.01)
    note("finished", name)
    return "finished"

@app.route("/task/<name>", methods=["GET", "POST"])
def work(name):
    note("executed", name)
    return "worked"
"""
ASGI = """
import pathlib, time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

here = pathlib.Path(__file__).parent

def note(name, what):
    with (here / name).open("a") as file:
        file.write(what + "\\n")

async def home(request):
    return PlainTextResponse("home")

async def gate(request):
    name = request.path_params["name"]
    note("begun", name)
    while not (here / f"open-{name}").exists():
        time.sleep(0.01)  # nothing else runs in this event loop
    note("finished", name)
    return PlainTextResponse("finished")

async def work(request):
    note("executed", request.path_params["name"])
    return PlainTextResponse("worked")

app = Starlette(routes=[
    Route("/", home), Route("/gate/{name}", gate, methods=["POST"]),
    Route("/task/{name}", work, methods=["GET", "POST"]),
])
"""
TOML = """
behind = "127.0.0.1"  # a declared proxy names another client than that of the connection
request_timeout = "5m"  # who has waited for most of it is refused, and the test asks for the status meanwhile
[workers]
count = 1
THREADS
queue = "0s"  # else most of those that wait would be refused
"""
MANY = 30
HEADERS = "Host: a.example\r\nContent-Length: 0\r\nX-Forwarded-For: 203.0.113.7\r\n"


@pytest.fixture(scope="module", params=["embedded", "system", "asgi", "apache", "apache asgi"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    """Of httpd one of each protocol: it hangs up on no worker."""
    is_asgi = "asgi" in request.param
    toml = TOML.replace("THREADS", "" if is_asgi else "threads = 1")
    words = ["--gateway", "apache"] if "apache" in request.param else ["--nginx", request.param]
    if request.param == "asgi":
        words = ["--nginx", "embedded"]
    with served({"app.py": ASGI if is_asgi else APP, "portico.toml": toml}, *words) as made:
        yield made


def send(run: Served, method: str, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", run.port), 30)
    client.sendall(f"{method} {path} HTTP/1.1\r\n{HEADERS}\r\n".encode())
    return client


def waiting(run: Served) -> int:
    status: dict[str, Any] = json.loads(portico("status", "--json", cwd=run.directory).stdout)
    return int(status["queue"]["waiting"])


def until_waiting(run: Served, count: int) -> None:
    until(lambda: waiting(run) == count, lambda: f"{waiting(run)} wait, not {count}")


def lines(run: Served, name: str) -> list[str]:
    path = run.directory / name
    return path.read_text().split() if path.exists() else []


def until_logged(run: Served, status: int, path: str, count: int) -> None:
    def found() -> Counter[int]:
        return Counter(line["status"] for line in run.requests() if line["uri"].startswith(path))

    until(lambda: found()[status] == count, found)


def until_closed(run: Served, count: int) -> None:
    """So many clients have closed connections that the gateway still holds (CLOSE_WAIT, 08)."""
    end = f":{run.port:04X}"

    def closed() -> int:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        return sum(row[1].endswith(end) and row[3] == "08" for row in rows)

    until(lambda: closed() >= count, lambda: f"{closed()} are closed")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_requests_whose_clients_left_none_is_executed(run: Served, method: str) -> None:
    """A GET, too, which nginx does not give up when its client leaves: its answer might be cached; httpd none."""
    name = method.lower()
    gate = send(run, "POST", f"/gate/{name}")
    until_there(run.directory / "begun")
    left = [send(run, method, f"/task/{name}-{n}") for n in range(MANY)]
    stays = send(run, method, f"/task/{name}-stays")
    until_waiting(run, MANY + 1)
    time.sleep(0.1)  # a shorter wait is not looked at
    for client in (gate, *left):
        client.close()
    if method == "POST" and not run.is_apache:  # nginx hangs up, and by then the worker can see it
        until_logged(run, 499, f"/task/{name}-", MANY)
    else:
        until_closed(run, MANY)
    (run.directory / f"open-{name}").touch()
    with stays:
        assert status(stays) == 200
    assert [one for one in lines(run, "executed") if one.startswith(name)] == [f"{name}-stays"]
    assert name in lines(run, "finished")  # its client left as well, but it was under way
    until_logged(run, 499, f"/task/{name}-", MANY)
    (run.directory / "begun").unlink()
