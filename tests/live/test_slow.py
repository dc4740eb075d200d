"""Requests that are still running are told of in `portico status`, with where they are."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

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


ASGI = """
import asyncio, os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

async def quick(request):
    return PlainTextResponse("quick")

async def report(request):
    await slumber()
    return PlainTextResponse("done")

async def slumber():
    while not os.access("awake", os.F_OK):
        await asyncio.sleep(0.05)

async def stream(request):
    async def parts():
        yield "begun"
        await slumber()
    return StreamingResponse(parts())

app = Starlette(routes=[Route("/quick", quick), Route("/report", report), Route("/stream", stream)])
"""


def slow(run: Served) -> list[dict[str, Any]]:
    done = portico("status", "--json", cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["slow"]
    return found


def until_there_are(run: Served, count: int) -> list[dict[str, Any]]:
    (found,) = until(lambda: [found for found in [slow(run)] if len(found) == count], lambda: slow(run))
    return found


OVER_HTTP = pytest.mark.of_nginx  # httpd asks an ASGI app by HTTP: docs/app-servers.md


def in_slumber(one: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame for frame in one["stack"] if frame["name"] == "slumber"]


@pytest.mark.parametrize(
    "app", [pytest.param(APP, id="wsgi"), pytest.param(ASGI, id="asgi", marks=OVER_HTTP)]
)
def test_a_request_that_runs_for_long_is_told_of_until_it_ends(app: str) -> None:
    """Streams are meant to last: that of the ASGI app is not named."""
    with served({"app.py": app}, "--workers", "1", "--request-timeout", "5m") as run:
        run.get("/quick")
        assert slow(run) == []
        stream = threading.Thread(target=lambda: run.get("/stream"))
        stream.start()
        thread = threading.Thread(target=lambda: run.get("/report"))
        thread.start()
        until(lambda: [one for one in slow(run) if in_slumber(one)], lambda: slow(run))
        (one,) = until_there_are(run, 1)
        assert (one["method"], one["path"], one["endpoint"]) == ("GET", "/report", "report")
        assert one["age_seconds"] >= 1
        (frame,) = in_slumber(one)
        assert frame["text"].startswith(("time.sleep(", "await asyncio.sleep(", "while not os.access("))
        assert len(one["id"]) == 32
        shown = portico("status", cwd=run.directory).stdout
        assert "slow       GET /report endpoint report, for " in shown
        assert "slumber  " in shown
        (run.directory / "awake").touch()
        thread.join()
        stream.join()
        until_there_are(run, 0)
