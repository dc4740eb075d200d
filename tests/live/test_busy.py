"""More requests than the app can answer: who would wait for too long gets 503, everything else goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.support import Served, portico, served
from tests.support.until import until

APP = """
import os, pathlib, signal, time
from flask import Flask, make_response

app = Flask(__name__)
here = pathlib.Path(__file__).parent


@app.get("/")
def home():
    return "home"


@app.get("/gate")
def gate():
    with (here / "taken").open("a") as taken:
        taken.write("1")
    while not (here / "open").exists():
        time.sleep(0.01)
    return "gate"


@app.get("/kept")
def kept():
    answer = make_response("kept")
    answer.headers["Cache-Control"] = "public, max-age=600"
    return answer


@app.get("/end")
def end():
    os.kill(os.getppid(), signal.SIGKILL)
    return "ended"
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
TOML = """
app = "shop:app"
request_timeout = "10m"

[workers]
count = 1
threads = 2
queue = "10ms"
"""
FILES = {"shop.py": APP, "portico.toml": TOML, "static/a.txt": "a file"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(FILES, "--nginx", str(request.param)) as run:
        yield run


def refused_by(site: Served, uri: str) -> list[str]:
    """What the log says of each request for that."""
    return [line["refused_by"] for line in site.requests() if line["uri"] == uri]


@contextmanager
def full(site: Served) -> Iterator[list[Future[httpx.Response]]]:
    """Both threads are held, and as many requests wait as may: eight, and the kernel's one more."""
    (site.directory / "open").unlink(missing_ok=True)
    taken = site.directory / "taken"
    taken.unlink(missing_ok=True)
    with ThreadPoolExecutor(160) as threads:

        def begin() -> Future[httpx.Response]:
            return threads.submit(httpx.get, f"{site.url}/gate", timeout=240)

        began = [begin(), begin()]
        try:
            until(lambda: taken.exists() and len(taken.read_text()) == 2)
            # The bound begins when no thread was idle for a second; until then a burst may wait.
            while not (refused := [one for one in began if one.done()]) and len(began) < 159:
                began.append(begin())
                time.sleep(0.2)
            assert refused
            yield began
        finally:
            (site.directory / "open").touch()


@pytest.mark.of_nginx  # httpd waits for room in the queue
def test_a_full_queue_refuses_at_once_and_everything_else_goes_on(site: Served) -> None:
    assert site.get("/kept").text == "kept"
    with full(site) as began:
        page = site.get("/?page", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert "Busy" in page.text
        program = site.get("/?program", headers={"Accept": "application/json"})
        assert (program.status_code, program.headers["Retry-After"]) == (503, "5")
        assert program.json()["error"]["title"] == "Busy"
        assert site.client.post(f"{site.url}/?sent", content=b"x" * 100_000).status_code == 503
        assert site.get("/static/a.txt").text == "a file"
        assert site.get("/kept").text == "kept"
        health = site.get("/-/health")
        assert (health.status_code, health.text) == (200, "ok")
    statuses = [one.result().status_code for one in began]
    assert set(statuses) == {200, 503}
    assert statuses[:2] == [200, 200]
    for uri in ("/?page", "/?program", "/?sent"):
        until(lambda: refused_by(site, uri) == ["queue"])  # noqa: B023  called in this very turn
    until(lambda: site.get("/?again").status_code == 200)


def waiting(site: Served) -> int:
    status = json.loads(portico("status", "--json", cwd=site.directory).stdout)
    return int(status["queue"]["waiting"])


@contextmanager
def crowded(site: Served) -> Iterator[None]:
    """A worker says each second that more requests come than are answered; nginx has heard of it."""
    said, over = site.runtime / "workers/crowd", threading.Event()

    def say() -> None:
        while not over.wait(0.3):
            said.touch()

    thread = threading.Thread(target=say)
    thread.start()
    try:
        until((site.runtime / "app.sock.crowd").exists)
        time.sleep(
            3
        )  # nginx keeps what it knows of a file for a second, and what is too early waits for the gate
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.of_nginx  # httpd counts no requests in progress
def test_in_a_crowd_one_client_has_a_share_and_the_others_are_served(site: Served) -> None:
    (site.directory / "open").unlink(missing_ok=True)
    url = f"http://127.0.0.1:{site.port}/gate"
    other = httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=120)
    with ThreadPoolExecutor(10) as threads, other:
        with crowded(site):
            held = [threads.submit(httpx.get, url, timeout=120) for _ in range(6)]
            until(lambda: waiting(site) == 4)  # two are with the app
            refused = site.get("/?more", headers={"Accept": "application/json"})
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
            assert site.get("/static/a.txt").text == "a file"
            others = threads.submit(other.get, f"http://127.0.0.1:{site.port}/?other")
            (site.directory / "open").touch()
            assert [one.result().status_code for one in held] == [200] * 6
            assert others.result().status_code == 200
            until(lambda: "share" in refused_by(site, "/?more"))
            assert "connections" not in refused_by(site, "/?more")
        # The flag stays for a while after the last refusal.
        until(lambda: not (site.runtime / "app.sock.crowd").exists())
    until(lambda: refused_by(site, "/?other") == [""], lambda: refused_by(site, "/?other"))


def test_an_app_that_cannot_come_back_is_not_called_busy(site: Served) -> None:
    """Its sockets are gone: 502 at once, whatever waited."""
    path = site.directory / "shop.py"
    text = path.read_text()
    path.write_text("raise SystemExit('broken on the disk')")
    try:
        site.get("/end")
        until(lambda: site.get("/?down").status_code == 502)
        until(lambda: site.get("/-/health").status_code == 503)  # a try to start may come between
    finally:
        path.write_text(text)
    until(lambda: "" in refused_by(site, "/?down"))
    assert "queue" not in refused_by(site, "/?down")
    until(lambda: site.get("/").status_code == 200)


@pytest.mark.usefixtures("_needs_nginx")
def test_an_asgi_app_takes_a_burst_too() -> None:
    """asyncio lets 100 connections wait; a browser's page and its friends bring more at once."""
    with served({"app.py": ASGI}, "--workers", "1") as run, ExitStack() as opened:
        run.until_all_have_loaded(1)
        (worker,) = (int(path.stem.rpartition("-")[2]) for path in run.runtime.glob("workers/*-*[0-9].json"))
        os.kill(worker, signal.SIGSTOP)
        try:
            for _ in range(120):
                client = opened.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(run.runtime / "app.sock"))  # BlockingIOError when no more may wait
        finally:
            os.kill(worker, signal.SIGCONT)
        assert run.get("/").text == "hello"
