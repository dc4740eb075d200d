"""A child that the app forks keeps copies of the open connections; the end of an answer must not wait for its end."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.link.stage import stage, start_gunicorn
from tests.support import private_directory, until_there
from tests.support.process import finish

WSGI = """
import os, pathlib, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/fork":
        if not (child := os.fork()):
            while not os.path.exists("over"): time.sleep(0.05)
            os._exit(0)
        start_response("200 OK", [("Content-Length", "6")])
        return [b"forked"]
    start_response("200 OK", [])
    if environ["PATH_INFO"] != "/stream":
        return [b"ready"]
    return rows()

def rows():
    pathlib.Path("begun").touch()
    yield b"first "
    while not os.path.exists("go"): time.sleep(0.05)
    yield b"last"
"""
ASGI = """
import asyncio, os, pathlib, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/fork" and not os.fork():
        while not os.path.exists("over"): time.sleep(0.05)
        os._exit(0)
    if scope["path"] == "/stream":
        pathlib.Path("begun").touch()
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        while not os.path.exists("go"): await asyncio.sleep(0.05)
    await send({"type": "http.response.body", "body": b"last"})
"""
SLOW = """
import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists(): time.sleep(0.05)

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"ready"]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})

app = APP
"""


@pytest.mark.parametrize(("app", "worker"), [(WSGI, "worker"), (ASGI, "asgi")])
def test_a_streamed_answer_ends_although_a_child_holds_its_connection(app: str, worker: str) -> None:
    with stage(app, worker=worker) as on, ThreadPoolExecutor() as threads:
        try:
            answer = threads.submit(on.get, "/stream")
            until_there(on.directory / "begun")
            forked = threads.submit(on.get, "/fork")
            time.sleep(1)  # whoever forks while a thread holds a lock of Python's may wait for ever: not here
            (on.directory / "go").touch()
            assert answer.result(60).text == "first last"
        finally:
            (on.directory / "over").touch()
        assert forked.result(60).status_code == 200


@pytest.mark.parametrize("worker", ["worker", "asgi"])
def test_a_stop_that_comes_while_the_app_is_imported_is_obeyed(worker: str) -> None:
    app = SLOW.replace("APP", "asgi" if worker == "asgi" else "wsgi")
    with private_directory() as directory:
        (directory / "app.py").write_text(app)
        gunicorn = start_gunicorn(directory, 1, 1, ("--graceful-timeout", "600"), {}, worker)
        try:
            until_there(directory / "begun")
            gunicorn.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            (directory / "go").touch()
            assert gunicorn.wait(60) == 0
        finally:
            finish(gunicorn, signal.SIGKILL)
