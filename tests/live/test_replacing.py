"""Code on the disk that cannot be loaded, workers that are replaced, and releases whose files have changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import Served, environment, portico, rewrite, served
from tests.support.until import until

APP = """
import os
from flask import Flask
app = Flask(__name__)
NAME = "one"

@app.get("/")
def index():
    return f"{NAME} {os.getpid()}"
"""
ASGI = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"one {os.getpid()}".encode()})
"""
BROKEN = "import nothing_like_that\n"


def _do(run: Served, *words: str) -> subprocess.CompletedProcess[str]:
    return portico(*words, cwd=run.directory, env=environment(run.directory))


def _status(run: Served) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_do(run, "status", "--json").stdout)
    return found


def _live(run: Served) -> dict[str, Any]:
    status = _status(run)
    live: dict[str, Any] = next(one for one in status["releases"] if one["number"] == status["live"])
    return live | {"changed_on_disk": status["changed_on_disk"]}


def _workers(run: Served) -> list[int]:
    return [worker["pid"] for worker in _live(run)["workers"]]


def _kill_workers(run: Served) -> None:
    """All at once: none is left that could fork another."""
    for pid in _workers(run):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("code", "server"), [(APP, "wsgi"), (ASGI, "asgi")])
def test_a_refused_reload_and_recycled_workers_cost_no_request(code: str, server: str) -> None:
    with served({"app.py": code}, "--workers", "2", "--workers-max-requests", "10") as run:
        run.until_all_have_loaded(2)
        before = set(_workers(run))
        rewrite(run.directory / "app.py", BROKEN)
        assert _do(run, "reload").returncode == 4
        answers = [run.get("/") for _ in range(120)]
        assert {answer.status_code for answer in answers} == {200}
        until(lambda: "nothing_like_that" in _live(run)["cannot_load"], "status tells what is wrong")
        assert {run.get("/").status_code for _ in range(20)} == {200}
        assert before <= set(_workers(run)), "nobody leaves without a successor"
        assert len(_workers(run)) <= 3, "one successor at a time"
        shown = _do(run, "status")
        assert shown.returncode == 0
        assert "a new worker cannot load the app (ModuleNotFoundError" in shown.stdout
        until(lambda: "cannot load the app: ModuleNotFoundError" in run.stderr(), "the notice")
        line = 'portico_workers_cannot_load{release="1"} 1'
        until(lambda: line in _do(run, "metrics").stdout, "the metric")
        rewrite(run.directory / "app.py", code)
        until(lambda: run.get("/") and not before & set(_workers(run)), "both are replaced")
        until(lambda: _live(run)["cannot_load"] == "", "and all is well")


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_when_no_worker_can_load_the_app_clients_get_an_answer(server: str) -> None:
    with served({"app.py": APP}, "--workers", "2", "--workers-server", server) as run:
        rewrite(run.directory / "app.py", BROKEN)
        _kill_workers(run)
        statuses = {run.get("/").status_code for _ in range(20)}
        dead = 500 if run.is_apache else 502  # a worker that died with the request
        assert statuses <= {200, 502, 503, dead}, "none of them waits until nginx gives up (504)"
        until(lambda: _do(run, "status").returncode == 3, "the exit code of status")
        assert run.get("/").status_code in (502, 503)
        rewrite(run.directory / "app.py", APP)
        until(lambda: run.get("/").status_code == 200, "it comes back by itself")
        until(lambda: _do(run, "status").returncode == 0, "and status says so")


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_the_standby_release_takes_over_when_the_live_one_cannot_be_loaded(server: str) -> None:
    with served({"app.py": APP}, "--workers", "2", "--workers-server", server) as run:
        if server == "gunicorn":
            run.until_all_have_loaded(2)
        two = run.directory / "two"
        two.mkdir()
        rewrite(two / "app.py", APP.replace('"one"', '"two"'))
        assert _do(run, "reload", "--path", str(two)).returncode == 0
        assert run.get("/").text.startswith("two")
        rewrite(two / "app.py", BROKEN)
        _kill_workers(run)
        until(lambda: run.get("/").text.startswith("one"), "the release before")
        said = "release 2 cannot serve: release 1, on standby, serves again"
        until(lambda: said in run.stderr(), "the notice")
        assert _status(run)["live"] == 1


def test_rollback_says_that_the_code_was_changed_in_place() -> None:
    with served({"app.py": APP}, "--workers", "2") as run:
        run.until_all_have_loaded(2)
        rewrite(run.directory / "app.py", APP.replace('"one"', '"two"'))
        until(lambda: _live(run)["changed_on_disk"] == ["app.py"], "known a second after the start")
        reloaded = _do(run, "reload")
        assert reloaded.returncode == 0
        assert _live(run)["changed_on_disk"] == []
        back = _do(run, "rollback")
        assert back.returncode == 0
        assert "release 1 serves again" in back.stdout
        assert "release 1: its code is no longer on disk (app.py)" in back.stdout
        assert _live(run)["other_code"] == {"pids": [], "files": []}
        assert "its code is no longer on disk (app.py)" in _do(run, "status").stdout
        one = _workers(run)[0]
        os.kill(one, signal.SIGKILL)
        until(lambda: run.get("/").text.startswith("two"), "the worker that came back has the newer code")
        until(lambda: _live(run)["other_code"]["files"] == ["app.py"], "which is noticed")
        said = "release 1: 1 of its workers loaded other code than the release started with (app.py)"
        until(lambda: said in run.stderr(), "the notice")
        assert "loaded other code" in _do(run, "status").stdout
        line = 'portico_workers_other_code{release="1"} 1'
        until(lambda: line in _do(run, "metrics").stdout, "the metric")


def test_a_directory_a_release_keeps_the_code_of_each() -> None:
    with served({"app.py": APP}, "--workers", "2") as run:
        run.until_all_have_loaded(2)
        two = run.directory / "two"
        two.mkdir()
        rewrite(two / "app.py", APP.replace('"one"', '"two"'))
        assert _do(run, "reload", "--path", str(two)).returncode == 0
        assert "no longer on disk" not in (back := _do(run, "rollback")).stdout, back.stdout
        os.kill(_workers(run)[0], signal.SIGKILL)
        until(lambda: len(_workers(run)) == 2 and run.get("/").status_code == 200, "it is replaced")
        assert {run.get("/").text[:3] for _ in range(10)} == {"one"}
        assert _live(run)["other_code"]["files"] == []


def test_a_memory_limit_below_what_the_app_needs_to_start_is_said() -> None:
    large = f'{APP}\nKEPT = b"x" * (64 << 20)\n'
    with served({"app.py": large}, "--workers", "2", "--workers-max-memory", "40MiB") as run:
        until(lambda: _live(run)["memory_limit"] > 64 << 20, "status tells the limit that holds")
        run.until_all_have_loaded(2)
        before = set(_workers(run))
        assert {run.get("/").status_code for _ in range(40)} == {200}
        assert set(_workers(run)) == before, "nobody is replaced after each request"
        until(lambda: "max_memory (40" in run.stderr(), "the notice")
        assert "max_memory is less than the app needs to start" in _do(run, "status").stdout
        told = _do(run, "check", "app", "--workers-max-memory", "40MiB").stdout
        assert "workers.max_memory: 40.0MiB (as you said) is too small" in told
        enough = told.rpartition('write more: [workers] max_memory = "')[2].partition('"')[0]
        assert 64 < int(enough.removesuffix("MiB")) < 200
        assert "is too small" not in _do(run, "check", "app", "--workers-max-memory", enough).stdout


SIGTERM_OF_ITS_OWN = """
import os, signal, sys, time
from pathlib import Path
from flask import Flask
app = Flask(__name__)
HERE = Path(__file__).parent

def leave(*_):
    HERE.joinpath("left").touch()
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)

@app.route("/", methods=["GET", "POST"])
def index():
    HERE.joinpath("begun").touch()
    while not HERE.joinpath("go").exists():
        time.sleep(0.02)
    return "done"

@app.get("/well")
def well():
    return "well"
"""


def test_scale_loses_no_post_when_the_app_handles_sigterm_itself() -> None:
    words = ("--workers", "3", "--workers-threads", "2", "--health", "/well", "--request-timeout", "5m")
    with served({"app.py": SIGTERM_OF_ITS_OWN}, *words) as run, ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(run.client.post, run.url) for _ in range(4)]
        until((run.directory / "begun").exists, "all workers may have one")
        until(lambda: _status(run)["queue"]["with_app"] == 4, "the app has them")
        assert _do(run, "scale", "1").returncode == 0
        (run.directory / "go").touch()
        assert [post.result().text for post in posts] == ["done"] * 4
        until((run.directory / "left").exists, "the app's own handler is called when the worker ends")
