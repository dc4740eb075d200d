"""Streams live as long as they like, reach the client as they are made, and end when the client leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.support import Served, portico, served, until_there
from tests.support.until import until

APP = """
import contextlib, os, pathlib, queue, time
from flask import Flask, Response, request
from portico import edge

app = Flask(__name__)
here = pathlib.Path(__file__).parent
EVENTS = {"mimetype": "text/event-stream"}

@app.get("/")
def home():
    return "home"

@app.get("/silent")
def silent():
    before, between = (float(request.args[name]) for name in ("before", "between"))

    def events():
        time.sleep(before)
        yield "data: one\\n\\n"
        time.sleep(between)
        yield "data: two\\n\\n"
    return Response(events(), **EVENTS)

@app.get("/half")
def half():
    def events():
        yield "data: one\\n"
        time.sleep(1)
        yield "data: more"
        time.sleep(1)
        yield "\\n\\n"
    return Response(events(), **EVENTS)

@app.get("/hold")
def hold():
    def events():
        yield "data: here\\n\\n"
        with contextlib.suppress(queue.Empty):  # its traceback would be found by another test
            queue.Queue().get(timeout=60)
    return Response(events(), **EVENTS)

@app.get("/clean/<name>")
def clean(name):
    def events():
        how = "cut"
        try:
            yield "data: here\\n\\n"
            while True:
                time.sleep(0.05)
        finally:
            try:
                for _ in range(60):
                    time.sleep(0.05)
                how = "whole"
            finally:
                pathlib.Path(name).write_text(how)
    return Response(events(), **EVENTS)

@app.get("/watch/<name>")
def watching(name):
    def events():
        try:
            yield "data: here\\n\\n"
            while True:
                time.sleep(0.05)  # asks a database, which has nothing new
        finally:
            (here / name).write_text("closed")
    return Response(events(), **EVENTS)

@app.get("/own/<name>")
def chunks(name):
    def pieces():
        try:
            for number in range(2000):
                yield f"piece {number}\\n"
                time.sleep(0.05)
        finally:
            (here / name).write_text("closed")
    return Response(pieces(), mimetype="text/plain", headers={"X-Accel-Buffering": "no"})

@app.get("/poll")
@edge.stream
def poll():
    time.sleep(8)
    return "polled"
"""
TOML = """
request_timeout = "6s"
[workers]
count = 1
threads = 2
"""


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": TOML}, "--nginx", request.param) as made:
        yield made


def events(text: str) -> list[str]:
    """What a browser makes of a stream: events end with an empty line, lines that begin with a colon are nothing."""
    found, data = [], list[str]()
    for line in text.split("\n"):
        if line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line and data:
            found.append("\n".join(data))
            data = []
    return found


def test_an_event_stream_may_be_silent_for_longer_than_a_request(run: Served) -> None:
    def ask(before: int, between: int) -> httpx.Response:
        return httpx.get(f"{run.url}/silent", params={"before": before, "between": between}, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        for asked in (pool.submit(ask, 0, 8), pool.submit(ask, 8, 0)):
            answer = asked.result()
            assert answer.status_code == 200
            assert events(answer.text) == ["one", "two"]
            assert ":\n" in answer.text
    assert "stuck" not in run.stderr()


def test_no_comment_comes_into_the_middle_of_a_line(run: Served) -> None:
    assert events(run.get("/half").text) == ["one\nmore"]


def test_many_streams_leave_room_for_requests(run: Served) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            answer = stack.enter_context(httpx.stream("GET", f"{run.url}/hold", timeout=30))
            assert answer.status_code == 200, f"{answer.read()!r}\n{run.stderr()}"
            assert next(answer.iter_lines()) == "data: here"
        assert run.get("/").text == "home"


def test_more_long_polls_than_threads(run: Served) -> None:
    with ThreadPoolExecutor(12) as pool:
        polls = [pool.submit(httpx.get, f"{run.url}/poll", timeout=60) for _ in range(12)]
        assert run.get("/").text == "home"
        assert [poll.result().text for poll in polls] == ["polled"] * 12


@pytest.mark.parametrize("route", ["watch", "own"])
def test_a_generator_is_closed_when_its_client_leaves(run: Served, route: str) -> None:
    mark = run.directory / f"{route}.txt"
    with httpx.stream("GET", f"{run.url}/{route}/{mark.name}", timeout=30) as answer:
        assert next(answer.iter_lines())
        assert not mark.exists()
    until_there(mark)
    assert "Traceback" not in run.stderr()


def test_the_cleaning_up_of_a_generator_is_not_interrupted(run: Served) -> None:
    """It lasts longer than the second after which the worker looks again."""
    mark = run.directory / "cleaned.txt"
    with httpx.stream("GET", f"{run.url}/clean/{mark.name}", timeout=30) as answer:
        assert next(answer.iter_lines()) == "data: here"
    until_there(mark)
    assert until(mark.read_text) == "whole"  # it is there before its text is


def test_a_client_that_left_a_waiting_generator_holds_up_no_trace_and_no_profiler(run: Served) -> None:
    """An exception that waits for a thread in C code made CPython 3.11 turn round in every profiled function."""
    with httpx.stream("GET", f"{run.url}/hold", timeout=30) as answer:
        assert next(answer.iter_lines()) == "data: here"
    run.line(answer)
    time.sleep(3)  # the worker looks for clients once a second; a longer wait does no harm
    for _ in range(3):
        done = portico("trace", f"{run.url}/", cwd=run.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "200 OK" in done.stdout
