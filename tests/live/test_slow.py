"""Requests that are still running are told of in `portico status`, with where they are."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.support import Served, portico, served
from tests.support.until import until

APP = """
import os, time
from flask import Flask
app = Flask(__name__)

@app.get("/quick")
def quick():
    return "quick"

@app.get("/report")
def report():
    slumber()
    return "done"

def slumber():
    while not os.access("awake", os.F_OK):
        time.sleep(0.05)
"""


def slow(run: Served) -> list[dict[str, Any]]:
    done = portico("status", "--json", cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["slow"]
    return found


def until_there_are(run: Served, count: int) -> list[dict[str, Any]]:
    (found,) = until(lambda: [found for found in [slow(run)] if len(found) == count], lambda: slow(run))
    return found


def test_a_request_that_runs_for_long_is_told_of_until_it_ends() -> None:
    with served({"app.py": APP}, "--workers", "1", "--request-timeout", "5m") as run:
        run.get("/quick")
        assert slow(run) == []
        thread = threading.Thread(target=lambda: run.get("/report"))
        thread.start()
        (one,) = until_there_are(run, 1)
        assert (one["method"], one["path"], one["endpoint"]) == ("GET", "/report", "report")
        assert one["age_seconds"] >= 1
        assert one["stack"][-1]["name"] == "slumber"
        assert one["stack"][-1]["text"].startswith(("time.sleep(", "while not os.access("))
        assert len(one["id"]) == 32
        shown = portico("status", cwd=run.directory).stdout
        assert "slow       GET /report endpoint report, for " in shown
        assert "slumber  " in shown
        (run.directory / "awake").touch()
        thread.join()
        until_there_are(run, 0)
