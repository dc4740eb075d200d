"""A worker in which nothing runs past the deadline is ended, and nobody else."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support import served, until_there
from tests.support.until import until

APP = """
import ctypes, os, time
from flask import Flask
from portico import edge

app = Flask(__name__)
sleep = ctypes.PyDLL(None).sleep  # unlike CDLL it keeps the lock

@app.get("/")
def index():
    return str(os.getpid())

@app.get("/hold/<int:seconds>")
def hold(seconds):
    sleep(seconds)
    return "held"

@app.get("/news")
@edge.stream
def news():
    yield "first"
    open("begun", "w").close()
    time.sleep(600)

@app.get("/may/<int:seconds>")
@edge.timeout("60s")
def may(seconds):
    sleep(seconds)
    return "held"
"""
ROUTES = 'app = "app:app"\n[routes."/may/<int:seconds>"]\ntimeout = "30s"\n'
ASYNC_APP = """
import os, time
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def index():
    return os.getpid()

@app.get("/block/{seconds}")
async def block(seconds: int):
    time.sleep(seconds)

@app.get("/may/{seconds}")
async def may(seconds: int):
    time.sleep(seconds)
    return "blocked"
"""


def test_a_view_that_keeps_the_lock_is_ended_after_its_deadline() -> None:
    with served({"app.py": APP}, "--request-timeout", "2s", "--workers", "2") as run:
        before = {run.get("/").text for _ in range(20)}
        with ThreadPoolExecutor(5) as threads:
            threads.submit(
                httpx.get, f"{run.url}/news", timeout=200
            )  # it may be silent for an hour, beside them
            until_there(run.directory / "begun")
            held = [threads.submit(httpx.get, f"{run.url}/hold/300", timeout=200) for _ in range(4)]
            assert {one.result().status_code for one in held} <= {502, 504}
        until(lambda: run.get("/").text not in before)
        run.until_said("longer than a request may take (a thread that keeps the interpreter lock does that)")
        run.until_said("in hold")
        assert "WORKER TIMEOUT" not in run.stderr(), "Gunicorn's heartbeat, after a minute"


def test_an_async_view_that_blocks_the_event_loop_is_ended_after_its_deadline(kind: tuple[str, str]) -> None:
    words = (*kind, "--request-timeout", "2s", "--workers", "1")
    with served({"app.py": ASYNC_APP, "portico.toml": ROUTES}, *words) as run:
        before = run.get("/").text
        answer = run.get("/block/300")
        assert answer.status_code in (502, 504)
        until(lambda: run.get("/").text not in ("", before))
        run.until_said("its event loop did not run for")
        assert "WORKER TIMEOUT" not in run.stderr(), "Gunicorn's heartbeat, after a minute"
        assert run.get("/may/6").text == '"blocked"'


def test_a_request_that_may_take_longer_is_not_ended() -> None:
    with served({"app.py": APP}, "--request-timeout", "1s", "--workers", "1") as run:
        assert run.get("/may/6").text == "held"
        assert "is killed" not in run.stderr()


def test_a_worker_that_was_stopped_for_a_while_goes_on() -> None:
    with served({"app.py": APP}, "--request-timeout", "1s", "--workers", "1") as run:
        worker = int(until(lambda: text if (text := run.get("/").text).isdigit() else ""))
        os.kill(worker, signal.SIGSTOP)
        time.sleep(6)  # more than a request may take, twice
        os.kill(worker, signal.SIGCONT)
        until(lambda: run.get("/").text == str(worker))
        time.sleep(2)
        until(lambda: run.get("/").text == str(worker))  # an answer may be later than the second that it has
        assert "is killed" not in run.stderr()
