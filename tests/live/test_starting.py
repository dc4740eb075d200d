"""How an app begins: one that fails until its database is there, one that takes its time."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from portico.link.uwsgi import AskError, ask
from portico.run.upstream.health import ASK_SECONDS
from tests.support import (
    Served,
    environment,
    free_port,
    portico,
    private_directory,
    rewrite,
    served,
    until_ready,
    until_there,
)
from tests.support.process import running
from tests.support.until import until

TUTORIAL = """
import sqlite3
from flask import Flask

app = Flask(__name__)

@app.cli.command("init-db")
def init_db():
    sqlite3.connect("shop.sqlite").execute("create table post (title text)")

@app.get("/")
def index():
    return str(sqlite3.connect("shop.sqlite").execute("select * from post").fetchall())
"""


def test_flask_tutorial_before_init_db_is_served_with_one_traceback_and_a_remedy() -> None:
    with served({"shop.py": TUTORIAL}, "shop") as run:
        assert 1 <= run.stderr().count("Traceback") <= _most_questions(run)
        assert "status 500 to GET /" in run.stderr()
        command = f"cd {run.directory} && flask --app shop init-db"
        assert command in run.stderr()
        answer = run.get("/")
        assert answer.status_code == 500
        assert "Internal Server Error" in answer.text
        status = portico("status", cwd=run.directory).stdout
        assert "no such table: post" in status
        assert command in status
        words = shlex.split(command.partition("&& ")[2])
        subprocess.run([sys.executable, "-m", *words], cwd=run.directory, check=True, timeout=60)
        assert run.get("/").text == "[]"
        until(lambda: "failing" not in portico("status", cwd=run.directory).stdout, run.stderr)
        until(lambda: "the app is healthy now" in run.stderr(), run.stderr)


def _most_questions(run: Served) -> int:
    """One; on a machine so busy that there is no answer within 5 s the app is asked again."""
    took = float(run.stderr().partition("ready in ")[2].split()[0])
    return 1 + int(took // ASK_SECONDS)


ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        print("one more question", flush=True)
        raise ValueError("broken on purpose")
"""


def test_an_asgi_app_that_fails_is_served_too() -> None:
    with served({"shop.py": ASGI}, "shop") as run:
        assert 1 <= run.stderr().count("one more question") <= _most_questions(run)
        assert "the app runs, but fails: status 500 to GET /" in run.stderr()
        assert httpx.get(run.url, timeout=60).status_code == 500


HELD = """
import os, time
from flask import Flask

open(f"begun.{os.getpid()}", "w").close()
while not os.path.exists("go"):
    time.sleep(0.02)
open(f"done.{os.getpid()}", "w").close()
app = Flask(__name__)

@app.get("/")
def index():
    return "hello"
"""


def _says(run: Served, *words: str) -> str:
    done = portico(*words, cwd=run.directory)
    return done.stdout + done.stderr


def _named(run: Served, what: str) -> set[int]:
    """The processes that have left such a mark."""
    return {int(path.suffix[1:]) for path in run.directory.glob(f"{what}.*")}


def _workers(run: Served) -> set[int]:
    status = json.loads(portico("status", "--json", cwd=run.directory).stdout)
    live = next(one for one in status["releases"] if one["number"] == status["live"])
    return {worker["pid"] for worker in live["workers"]}


def test_a_start_and_a_reload_take_the_time_of_one_import_and_say_that_it_takes_long() -> None:
    """The app imports in each process for as long as the test likes: all that need it do so at the same time."""
    with served({"shop.py": HELD}, "shop", "--workers", "2", wait=False) as run:
        until(lambda: "starting: importing shop:app for" in _says(run, "status"), run.stderr)
        told = json.loads(portico("status", "--json", cwd=run.directory).stdout)
        assert (told["phase"], told["stage"]) == ("starting", "importing shop:app")
        assert told["pid"] == run.process.pid
        assert "it is starting: importing shop:app" in _says(run, "reload")
        until(lambda: len(_named(run, "begun")) == 3, run.stderr)
        until(lambda: "still importing shop:app, " in run.stderr(), run.stderr)
        assert not _named(run, "done")
        (run.directory / "go").touch()
        until_ready(run)
        assert run.get("/").text == "hello"
        assert "serving, pid" in _says(run, "status")
        until(lambda: len(_named(run, "done")) == 3, run.stderr)
        first = _named(run, "begun")
        assert len(first) == 3
        assert _workers(run) < first
        (run.directory / "go").unlink()
        argv = [sys.executable, "-m", "portico", "reload"]
        with running(argv, cwd=run.directory, env=environment(run.directory)) as reload:
            until(lambda: len(_named(run, "begun")) == 6, run.stderr)
            assert _named(run, "done") == first
            (run.directory / "go").touch()
            assert reload.wait(90) == 0
        assert _workers(run) < _named(run, "begun") - first
        assert len(_named(run, "begun")) == 6


HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""
SLOWER_IN_WORKERS = f"""
import sys, time
time.sleep(11 if "gunicorn" in sys.modules else 4)
{HELLO}
"""


def test_the_release_of_a_reload_is_waited_for_as_long_as_that_of_the_start() -> None:
    """Workers share the cores: three times what the import took is added to `start_timeout`."""
    with served({"app.py": SLOWER_IN_WORKERS}, "--start-timeout", "10s") as run:  # and 12 s for the import
        reloaded = portico("reload", cwd=run.directory)
        assert reloaded.returncode == 0, reloaded.stdout + reloaded.stderr


def test_uwsgi_imports_the_app_while_it_is_asked_too() -> None:
    words = ("--workers", "2", "--workers-server", "uwsgi")
    with served({"shop.py": HELD}, "shop", *words, wait=False) as run:
        until(lambda: len(_named(run, "begun")) == 3, run.stderr)
        assert not _named(run, "done")
        (run.directory / "go").touch()
        until_ready(run)
        assert run.get("/").text == "hello"
        until(lambda: len(_named(run, "done")) == 3, run.stderr)
        assert len(_named(run, "begun")) == 3


MAKES_A_TABLE = """
import os, time
from pathlib import Path

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]

try:
    os.mkdir("table")
except FileExistsError:
    if not os.path.exists("table/made"):
        Path("table", f"failed.{os.getpid()}").touch()
        while not os.path.exists("table/made"):
            time.sleep(0.02)
        raise RuntimeError("somebody makes the table at this moment")
else:
    while not list(Path("table").glob("failed.*")):
        time.sleep(0.02)
    Path("table/made").touch()
"""


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_an_import_that_fails_because_others_import_too_is_tried_again_alone(server: str) -> None:
    words = ("--workers", "1", "--workers-server", server)
    with served({"shop.py": MAKES_A_TABLE}, "shop", *words) as run:
        assert run.get("/").text == "hello"
        assert server == "uwsgi" or "at this moment" not in run.stderr()  # uWSGI fails after it was taken


FAILS_IN_WORKERS = """
import sys
if "gunicorn" in sys.modules or "uwsgi" in sys.modules:
    raise RuntimeError("broken on purpose, in a worker only")
"""


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_a_server_that_cannot_load_the_app_is_told_by_its_exit_code(server: str) -> None:
    """uWSGI's was taken for any crash: clients waited for a server that could not come, and a reload ended with 3."""
    with served({"shop.py": HELLO}, "shop", "--workers", "1", "--workers-server", server) as run:
        (leader,) = (one for one in run.called("arbiter", "uwsgi") if one.ppid() == run.process.pid)
        (run.directory / "shop.py").write_text(HELLO + FAILS_IN_WORKERS)
        assert portico("reload", cwd=run.directory).returncode == 4
        assert run.get("/").text == "hello"
        leader.kill()
        run.until_said("broken on purpose")
        run.until_said("again in 1 s")


def test_an_import_that_fails_is_told_once() -> None:
    with private_directory() as home:
        (home / "shop.py").write_text("app = 1\nraise RuntimeError('broken on purpose')\n")
        done = portico("run", "shop", "--listen", f"127.0.0.1:{free_port()}", cwd=home)
        assert done.returncode == 4
        assert done.stderr.count("RuntimeError: broken on purpose") == 1
        assert not list((home / "run").iterdir())


ASGI_BY_CLASS = """
class Shop:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})

app = Shop()
"""


def test_a_wrong_guess_costs_nothing_but_time() -> None:
    with served({"shop.py": ASGI_BY_CLASS}, "shop") as run:
        assert run.get("/").text == "hello"
        assert "Traceback" not in run.stderr()


def test_portico_stop_ends_an_import_that_hangs() -> None:
    with served({"shop.py": HELD}, "shop", wait=False) as run:
        until(lambda: "starting: importing shop:app for" in _says(run, "status"), run.stderr)
        until(lambda: any(run.directory.glob("begun.*")), run.stderr)
        began = [psutil.Process(int(path.suffix[1:])) for path in run.directory.glob("begun.*")]
        assert "already starting: importing shop:app" in _says(run, "run", "shop")
        assert portico("stop", cwd=run.directory).returncode == 0
        assert run.process.wait(60) == -signal.SIGTERM
        assert not psutil.wait_procs(began, 60)[1]
        assert not list((run.directory / "run").iterdir())


SLOW = """
import glob, os, time
open(f"begun.{os.getpid()}", "w").close()
ends = time.monotonic() + 5
while time.monotonic() < ends:
    time.sleep(0.02)
with open("imported", "a") as file:  # a heartbeat that is missed later is not of the import
    file.write(f"{len(glob.glob('begun.*'))} {'TIMEOUT' in open('log').read()}\\n")

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


def _first_answer(path: str, seconds: float = 60) -> bytes:
    """As soon as somebody listens there."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return ask(path, "/", timeout=seconds).body
        except AskError:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def test_a_worker_may_import_for_longer_than_the_heartbeat_allows() -> None:
    with private_directory() as home, (home / "log").open("w") as log:
        (home / "shop.py").write_text(SLOW)
        words = (
            "--worker-class",
            "portico.link.gunicorn.worker.Worker",
            "--timeout",
            "2",
            "--bind",
            f"unix:{home}/s",
        )
        argv = [
            sys.executable,
            "-m",
            "portico.link.gunicorn.arbiter",
            *words,
            "--no-control-socket",
            "shop:app",
        ]
        with running(argv, cwd=home, env={**os.environ, "PORTICO_BOOT": "120"}, stderr=log):
            assert _first_answer(f"{home}/s") == b"hello"
        assert (home / "imported").read_text().splitlines()[0] == "1 False", (home / "log").read_text()


VERSION = """
import sys
from flask import Flask

app = Flask(__name__)

@app.get("/")
def {name}():
    return "hello"

if "{name}" == "broken" and "gunicorn.arbiter" in sys.modules:
    raise RuntimeError("on purpose, in a worker only")
"""


def test_the_answers_that_a_reload_brought_are_expected_at_the_next_start_once_it_serves() -> None:
    with served({"shop.py": VERSION.format(name="first")}, "shop") as run:

        def expected() -> str:
            return (run.state / "facts.json").read_text()

        until_there(run.state / "facts.json")
        assert "first" in expected()
        rewrite(run.directory / "shop.py", VERSION.format(name="broken"))
        assert "the previous one keeps serving" in _says(run, "reload")
        assert "first" in expected()
        assert "broken" not in expected()
        rewrite(run.directory / "shop.py", VERSION.format(name="second"))
        assert portico("reload", cwd=run.directory).returncode == 0
        until(lambda: "second" in expected(), run.stderr)
