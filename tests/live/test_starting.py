"""How an app begins: one that fails until its database is there, one that takes its time."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable

import httpx

from tests.support import Served, portico, served

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
        assert run.stderr().count("Traceback") == 1
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
        _until(run, lambda: "failing" not in portico("status", cwd=run.directory).stdout)
        _until(run, lambda: "the app answers well now" in run.stderr())


def _until(run: Served, is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Each `portico status` asks the app again; what it answers is known a moment later."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, run.stderr()
        time.sleep(0.05)


ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        print("one more question", flush=True)
        raise ValueError("broken on purpose")
"""


def test_an_asgi_app_that_fails_is_served_too() -> None:
    with served({"shop.py": ASGI}, "shop") as run:
        assert run.stderr().count("one more question") == 1
        assert "the app runs and fails: status 500 to GET /" in run.stderr()
        assert httpx.get(run.url).status_code == 500
