"""Requests that waited in the queue: the app is called only where somebody can still get its answer."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from portico.link.wsgi.peer import VARIABLE, Peers
from portico.link.wsgi.queue import Queue, has_waited, limit_seconds
from portico.plan.subjects import Health, Ladder
from portico.run.upstream import health
from tests.link.stage import Stage, stage, start_gunicorn
from tests.support import private_directory
from tests.support.until import until

APP = """
import pathlib, time

here = pathlib.Path(__file__).parent

def app(environ, start):
    path = environ["PATH_INFO"]
    with (here / "done.txt").open("a") as done:
        done.write(path + "\\n")
    while path == "/gate" and not (here / "open").exists():
        time.sleep(0.01)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""


@pytest.fixture(scope="module")
def on() -> Iterator[Stage]:
    with stage(APP, threads=1) as made:
        yield made


def done(directory: Path) -> list[str]:
    path = directory / "done.txt"
    return [line for line in path.read_text().split() if line != "/ready"] if path.exists() else []


def test_a_request_that_waited_for_most_of_its_time_is_refused_and_not_executed(on: Stage) -> None:
    (on.directory / "open").unlink(missing_ok=True)
    with ThreadPoolExecutor(4) as threads:
        gate = threads.submit(on.get, "/gate")
        until(lambda: "/gate" in done(on.directory))
        late = [threads.submit(on.get, f"/hurried/{n}", method) for n, method in enumerate(("GET", "POST"))]
        patient = threads.submit(on.get, "/patient")
        until(lambda: on.connected() == 4, what=lambda: str(on.connected()))
        time.sleep(1)  # longer than these may wait, which is 0.45 s
        (on.directory / "open").touch()
        refused: list[httpx.Response] = [one.result() for one in late]
        assert (gate.result().status_code, patient.result().status_code) == (200, 200)
    assert [(one.status_code, one.headers["Retry-After"]) for one in refused] == [(503, "5"), (503, "5")]
    assert sorted(done(on.directory)) == ["/gate", "/patient"]
    until(lambda: "2 answered 503" in on.log(), what=on.log)


def test_a_short_wait_is_not_looked_at_and_a_strange_word_is_no_wait() -> None:
    assert not has_waited({})
    assert not has_waited({"PORTICO_MSEC": "soon"})
    assert not has_waited({"PORTICO_MSEC": str(time.time() + 60)})
    assert has_waited({"PORTICO_MSEC": str(time.time() - 1)})


def test_what_waited_for_an_app_that_was_not_there_is_executed() -> None:
    """The wait is counted from when the worker began: a queue that outlived its workers is served, not refused."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Queue(31).reason_to_skip({"PORTICO_MSEC": str(time.time() - 29)}, ours) is None


def test_a_crowd_is_more_than_one_client_that_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    queue, began = Queue(31, crowd_seconds=0.5), time.time()
    monkeypatch.setattr(time, "time", lambda: began)
    queue.begin()

    def came(client: str, seconds: float) -> None:
        queue._since = began - 60  # as if the worker had begun long ago
        queue.reason_to_skip({"PORTICO_MSEC": str(time.time() - seconds), "REMOTE_ADDR": client}, ours)

    with ours, theirs:
        came("192.0.2.1", 2)
        came("192.0.2.1", 2)
        came("192.0.2.2", 0.1)
        assert not queue.is_crowded()
        came("192.0.2.1", 2)
        came("192.0.2.2", 2)
        assert queue.is_crowded()
        assert not queue.is_crowded()  # asked anew


SLOW_IMPORT = """
import pathlib, time

here = pathlib.Path(__file__).parent
while not (here / "go").exists():
    time.sleep(0.01)

def app(environ, start):
    with (here / "asked.txt").open("a") as asked:
        asked.write("once\\n")
    start("200 OK", [("Content-Length", "0")])
    return []
"""


def test_an_app_that_imports_for_long_is_asked_once_however_often_the_question_was_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would be a visit to its front page, and a traceback where that fails."""
    before = set(threading.enumerate())
    question = Health("/", "localhost", "http", "", 60.0)

    def asked(path: Path) -> health.Answer:
        return asyncio.run(health.in_time(lambda: health.ask_server(str(path), question)))

    with private_directory() as directory:
        (directory / "app.py").write_text(SLOW_IMPORT)
        gunicorn = start_gunicorn(directory, 4, 1, (), {})
        try:
            path = directory / "app.sock"
            until(path.exists)
            with monkeypatch.context() as hurried:
                hurried.setattr(health, "ASK_SECONDS", 0.3)
                assert [asked(path).status for _ in range(3)] == [0, 0, 0]
            until(lambda: set(threading.enumerate()) <= before)  # each has closed its connection
            (directory / "go").touch()
            answers = [asked(path)]
            while not answers[-1].is_well:
                answers.append(asked(path))
            # The queue is taken in its order: those three were taken before.
            assert 1 <= (directory / "asked.txt").read_text().count("once") <= len(answers)
        finally:
            gunicorn.terminate()
            gunicorn.wait(60)
        assert "overload" not in (directory / "gunicorn.log").read_text()


@pytest.mark.parametrize("seconds", [1, 30, 3600])
def test_the_wait_leaves_the_app_a_quarter_of_nginxs_time(seconds: float) -> None:
    ladder = Ladder.of(seconds)
    assert limit_seconds(ladder.deadline_seconds) == pytest.approx(ladder.read_seconds * 3 / 4)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_says_whether_the_client_is_still_there(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    peers = Peers()
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection((host, port))
        accepted, _ = listener.accept()
        with accepted:
            named = {VARIABLE: f"{host} {client.getsockname()[1]} {host} {port}"}
            assert not peers.has_left(named)
            client.close()
            until(lambda: peers.has_left(named))
            assert not peers.has_left(named | {"SERVER_PROTOCOL": "HTTP/3.0"})  # which is no TCP
    assert not peers.has_left({VARIABLE: "unix: 0 unix: 0"})
    assert not peers.has_left({VARIABLE: "192.0.2.1 9 192.0.2.2 9"})  # another network namespace's
