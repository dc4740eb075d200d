"""What an app writes is out at once, however it is written; and no other tool's variable decides how it is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import portico, served
from tests.support.until import until

if TYPE_CHECKING:
    from tests.support import Served

WAYS = """
import ctypes, os, signal, subprocess, sys

def say(word):
    print("printed", word)
    os.write(1, f"written {word}\\n".encode())
    ctypes.CDLL(None).puts(f"put {word}".encode())
    subprocess.Popen([sys.executable, "-c", f"print('child {word}'); import time; time.sleep(60)"])
    sys.stdout.write(f"begun {word}")

def act(path):
    if path == "/say":
        say("first")
    if path == "/die":
        print("last words")
        os.kill(os.getpid(), signal.SIGKILL)
"""
WSGI = f"""{WAYS}
def app(environ, start_response):
    act(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""
ASGI = f"""{WAYS}
async def app(scope, receive, send):
    act(scope["path"])
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"done"}})
"""
FOREIGN = {
    "GUNICORN_CMD_ARGS": "--workers 3 --bind 127.0.0.1:1",
    "WEB_CONCURRENCY": "3",
    "UWSGI_PROCESSES": "3",
    "NGINX": "0;",
}


@pytest.fixture(scope="module", params=["wsgi", "asgi", "uwsgi"])
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = '\nserver = "uwsgi"' if request.param == "uwsgi" else ""
    files = {
        "app.py": ASGI if request.param == "asgi" else WSGI,
        "portico.toml": f"[workers]\ncount = 1{server}\n",
    }
    with served(files, env=FOREIGN) as run:
        yield run


def test_whatever_the_app_writes_comes_out_without_another_word(run: Served) -> None:
    assert run.get("/say").text == "done"
    ways = {"printed first\n", "written first\n", "put first\n", "child first\n", "begun first"}
    if run.called("uwsgi"):
        ways.remove("begun first")  # uWSGI's Python writes whole lines
    until(lambda: all(way in run.stderr() for way in ways), run.stderr)


def test_the_last_words_of_a_killed_worker_are_not_lost(run: Served) -> None:
    with pytest.raises((httpx.HTTPError, AssertionError)):
        assert run.get("/die").status_code == 200
    until(lambda: "last words\n" in run.stderr(), run.stderr)


def test_the_environment_of_other_tools_decides_nothing_and_is_named(run: Served) -> None:
    told = "not passed on: GUNICORN_CMD_ARGS, NGINX, UWSGI_PROCESSES, WEB_CONCURRENCY"
    assert told in run.stderr()
    until(lambda: run.get("/").status_code == 200, run.stderr)
    status = json.loads(portico("status", "--json", cwd=run.directory).stdout)
    assert status["phase"] == "serving"
    for process in run.called("gunicorn", "uwsgi"):
        assert not FOREIGN.keys() & process.environ().keys() - {"NGINX"}
