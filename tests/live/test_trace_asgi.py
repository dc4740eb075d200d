"""`portico trace` of ASGI apps: the way through middleware and dependencies to the view, of this request alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import Served, portico, served
from tests.support.until import until

FASTAPI = """
import asyncio, os
from fastapi import Depends, FastAPI, HTTPException
from starlette.middleware.gzip import GZipMiddleware

app = FastAPI()
app.add_middleware(GZipMiddleware)

@app.middleware("http")
async def timed(request, call_next):
    answer = await call_next(request)
    answer.headers["X-Timed"] = str("x-portico-trace" in request.headers)
    return answer

async def user():
    await asyncio.sleep(0.01)
    return "anna"

def basket():
    return []

@app.get("/waits")
async def waits(who=Depends(user)):
    await asyncio.sleep(0.2)
    return who

@app.get("/computes")
def computes(what=Depends(basket)):
    return what

@app.get("/broken")
async def broken():
    raise RuntimeError("broken")

@app.get("/held")
async def held():
    open("holds", "w").close()
    while not os.access("go", os.F_OK):
        await asyncio.sleep(0.01)
    return "held"
"""
QUART = """
from quart import Quart

app = Quart(__name__)

@app.before_request
async def first():
    pass

@app.get("/waits")
async def waits():
    return "waited"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": FASTAPI, "portico.toml": "workers = 1\n"}) as run:
        yield run


def way(run: Served, path: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The status, and the rows of the app's functions by what they say, the first ones first."""
    done = portico("trace", "--json", path, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = [row for row in found["rows"] if row["actor"] == "app" and row["place"]]
    assert len({row["action"] for row in rows}) == len(rows), rows
    return found["status"], {row["action"]: row for row in rows}


def test_the_way_to_a_view_that_waits(site: Served) -> None:
    status, rows = way(site, "/waits")
    assert status == 200
    assert list(rows) == ["middleware timed", "middleware GZipMiddleware", "dependency user", "view waits"]
    assert rows["view waits"]["took_us"] >= 200_000
    assert rows["middleware timed"]["took_us"] >= rows["view waits"]["took_us"]
    assert rows["dependency user"]["took_us"] >= 10_000
    line = 1 + FASTAPI.split("\n").index('@app.get("/waits")')
    assert rows["view waits"]["place"] == f"{site.directory / 'app.py'}:{line}"
    assert site.get("/waits").headers["X-Timed"] == "False"


def test_the_way_to_a_view_in_a_thread(site: Served) -> None:
    status, rows = way(site, "/computes")
    assert status == 200
    assert list(rows)[-2:] == ["dependency basket", "view computes"]


def test_the_way_to_a_view_that_fails(site: Served) -> None:
    status, rows = way(site, "/broken")
    assert status == 500
    assert "view broken" in rows


def test_two_traces_at_once_know_their_own_steps(site: Served) -> None:
    """The first one ends first, while the second goes on."""
    found = dict[str, dict[str, dict[str, Any]]]()
    first = threading.Thread(target=lambda: found.update(held=way(site, "/held")[1]))
    first.start()
    until((site.directory / "holds").exists)
    second = way(site, "/waits")[1]
    (site.directory / "go").touch()
    first.join()
    assert list(second)[-1] == "view waits"
    assert list(found["held"])[-1] == "view held"
    assert "view waits" not in found["held"]


def test_the_way_through_quart() -> None:
    with served({"app.py": QUART, "portico.toml": "workers = 1\n"}) as run:
        status, rows = way(run, "/waits")
    assert (status, list(rows)) == (200, ["before_request first", "view waits"])
