"""`portico pause` and `portico scale`, with requests that wait and requests in progress."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from portico.values import counted
from tests.support import Served, portico, served, until_there
from tests.support.until import until

APP = """\
import os, time
from flask import Flask, request

app = Flask(__name__)

@app.post("/job")
def job():
    with open("done.log", "a") as log:
        log.write(f"{time.time()}\\n")
    return "done"

@app.get("/slow/<float:seconds>")
def slow(seconds):
    open("slow.begun", "w").close()
    time.sleep(seconds)
    return "slept"

@app.get("/held")
def held():
    open("slow.begun", "w").close()
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return "held"

@app.get("/")
def index():
    return str(os.getpid())
"""
TOML = 'app = "app:app"\nrequest_timeout = "90s"\n[workers]\ncount = 2\nthreads = 3\n'


@pytest.fixture(scope="module")
def run() -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": TOML}) as made:
        yield made


def test_requests_wait_during_a_pause_and_none_is_executed(run: Served) -> None:
    slow = _slow(run, "/slow/4.0")
    done = portico("pause", "--for", "80s", cwd=run.directory)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("paused: nothing in progress, 0 waiting")
    assert slow() == "slept"
    paused = time.time()
    with ThreadPoolExecutor(20) as clients:
        answers = [clients.submit(_post, run) for _ in range(200)]
        status = _until_waiting(run, 20)
        (worker, *_) = _workers(run)
        os.kill(worker, signal.SIGKILL)  # its successor is forked into the pause
        time.sleep(1.5)
        assert not any(answer.done() for answer in answers)
        status = _until_waiting(run, 20)
        assert status["queue"] == {"waiting": 20, "with_app": 0}
        assert 0 < status["pause"]["left_seconds"] < 80
        assert "20 waiting" in portico("status", cwd=run.directory).stdout
        resumed = time.time()
        assert portico("resume", cwd=run.directory).stdout == "resumed\n"
        assert [answer.result() for answer in answers] == [200] * 200
    times = list(map(float, (run.directory / "done.log").read_text().split()))
    assert len(times) == 200
    assert not [moment for moment in times if paused < moment < resumed]


def test_a_pause_ends_by_itself(run: Served) -> None:
    assert portico("pause", "--for", "4s", cwd=run.directory).returncode == 0
    again = portico("pause", cwd=run.directory)
    if again.returncode:  # else the first one was over already
        assert "already paused" in again.stderr
    else:
        portico("resume", cwd=run.directory)
    assert run.get("/").status_code == 200
    late = portico("resume", cwd=run.directory)
    assert (late.returncode, late.stdout) == (1, "it was not paused, or no longer\n")


def test_what_does_not_finish_in_time_is_said_and_nothing_stays_paused(run: Served) -> None:
    let_go = run.directory / "let-go"
    held = _slow(run, "/held")
    try:
        done = portico("pause", "--for", "3s", cwd=run.directory)
        assert done.returncode == 1
        assert "1 request still in progress" in done.stderr
        assert run.get("/").status_code == 200
    finally:
        let_go.touch()
    assert held() == "held"
    let_go.unlink()


def test_a_pause_longer_than_nginx_waits_is_refused(run: Served) -> None:
    done = portico("pause", "--for", "2m", cwd=run.directory)
    assert done.returncode == 1
    assert f"{'apache' if run.is_apache else 'nginx'} answers 504 after 90 s" in done.stderr


def test_scale_loses_no_request_and_a_reload_goes_back(run: Served) -> None:
    over, answers = threading.Event(), list[Any]()
    clients = [threading.Thread(target=_ask, args=(run, answers, over)) for _ in range(4)]
    for client in clients:
        client.start()
    for wanted in (5, 1, 3):
        done = portico("scale", str(wanted), cwd=run.directory)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{counted(wanted, 'worker')}; before there were ")
        assert len(_workers(run)) == wanted
    reloaded = portico("reload", cwd=run.directory)
    assert "2 workers as configured; before, it had 3" in reloaded.stdout
    assert len(_workers(run)) == 2
    over.set()
    for client in clients:
        client.join()
    assert len(answers) > 20
    assert set(answers) == {200}


def test_a_stop_during_a_pause_executes_what_waits() -> None:
    with served({"app.py": APP, "portico.toml": TOML}) as run:
        assert portico("pause", cwd=run.directory).returncode == 0
        waiting = _in_thread(lambda: _post(run))
        _until_waiting(run, 1)
        runtime = run.runtime
        assert portico("stop", cwd=run.directory).returncode == 0
        assert waiting() == 200
        assert not list(runtime.glob("*"))


@pytest.mark.parametrize("word", ["pause", "scale"])
def test_uwsgi_says_that_it_cannot(word: str) -> None:
    with served({"app.py": APP, "portico.toml": TOML + 'server = "uwsgi"\n'}) as run:
        done = portico(word, *(["3"] if word == "scale" else []), cwd=run.directory)
        assert done.returncode == 1
        assert "uwsgi" in done.stderr.lower()
        assert run.get("/").status_code == 200


def test_an_asgi_app_over_http_says_that_it_cannot_be_paused() -> None:
    app = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""
    with served({"app.py": app}, "--gateway", "apache") as run:
        done = portico("pause", cwd=run.directory)
        assert done.returncode == 1
        assert "only Portico's own worker can wait" in done.stderr
        assert portico("scale", "2", cwd=run.directory).returncode == 0
        assert run.get("/").text == "ok"


@pytest.mark.of_nginx  # httpd asks an ASGI app by HTTP: docs/app-servers.md
def test_an_asgi_app_is_paused_too() -> None:
    app = """
import time
async def app(scope, receive, send):
    if scope["type"] == "http":
        if scope["method"] == "POST":
            with open("done.log", "a") as log:
                log.write(f"{time.time()}\\n")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
"""
    with served({"app.py": app, "portico.toml": TOML}) as run:
        assert portico("pause", "--for", "80s", cwd=run.directory).returncode == 0
        waiting = _in_thread(lambda: _post(run))
        _until_waiting(run, 1)
        assert not (run.directory / "done.log").exists()
        assert portico("resume", cwd=run.directory).returncode == 0
        assert waiting() == 200
        assert (run.directory / "done.log").exists()


def _post(run: Served) -> int:
    return httpx.post(run.url + "/job", timeout=120).status_code


def _slow(run: Served, path: str) -> Any:
    """Begins a request that lasts, and is with the app now."""
    mark = run.directory / "slow.begun"
    mark.unlink(missing_ok=True)
    answer = _in_thread(lambda: run.get(path).text)
    until_there(mark)
    return answer


def _until_waiting(run: Served, count: int) -> Any:
    """The status, as soon as so many requests wait."""
    seen = list[Any]()

    def is_so() -> bool:
        seen.append(json.loads(portico("status", "--json", cwd=run.directory).stdout))
        return bool(seen[-1]["queue"]["waiting"] == count)

    until(is_so, lambda: seen[-1]["queue"])
    return seen[-1]


def _in_thread(work: Any) -> Any:
    done = list[Any]()
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()

    def result() -> Any:
        thread.join()
        return done[0]

    return result


def _ask(run: Served, answers: list[Any], over: threading.Event) -> None:
    while not over.is_set():
        try:
            with httpx.Client(timeout=60) as client:
                answers += [client.get(run.url).status_code for _ in range(5)]
        except httpx.HTTPError as error:
            answers.append(repr(error))


def _workers(run: Served) -> list[int]:
    status = json.loads(portico("status", "--json", cwd=run.directory).stdout)
    (live,) = [g for g in status["releases"] if g["number"] == status["live"]]
    assert Path(f"/proc/{live['pid']}").exists()
    return [worker["pid"] for worker in live["workers"]]
