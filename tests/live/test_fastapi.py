"""A FastAPI app behind the gateway: its files, and the settings beside its views."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import Served, served
from tests.support.until import until

APP = """
import asyncio
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from portico import edge

app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
app.mount("/members", StaticFiles(directory="members"), name="members")

@app.middleware("http")
async def members_only(request: Request, call_next):
    if request.url.path.startswith("/members/") and "user" not in request.cookies:
        return JSONResponse({"detail": "sign in"}, 403)
    return await call_next(request)

inner = APIRouter()

@inner.get("/jobs/{number}")
@edge.internal
async def job(number: int): return number

@inner.post("/import")
@edge.max_upload("1KiB")
async def imported(request: Request): return len(await request.body())

@inner.get("/slow")
@edge.timeout("1s")
async def slow(): await asyncio.sleep(60)

app.include_router(inner, prefix="/v1")

@app.get("/{path:path}")
async def page(path: str): return {"page": path}
"""
FILES = {"app.py": APP, "static/app.css": "body {}", "members/list.txt": "names"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(FILES, "--nginx", request.param) as made:
        yield made


def upstream(run: Served, path: str) -> str:
    """Who answered, by the log: empty for the gateway itself."""
    lines = until(
        lambda: [line for line in (run.state / "access.log").read_text().splitlines() if f'"{path}"' in line]
    )
    return str(json.loads(lines[-1]).get("upstream", ""))


def test_the_gateway_sends_what_everybody_may_get(run: Served) -> None:
    answer = run.get("/static/app.css?first")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        200,
        "body {}",
        "text/css; charset=utf-8",
    )
    assert upstream(run, "/static/app.css?first") == ""
    assert run.get("/static/none.css").status_code == 404


EARLY = """
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
app = FastAPI()

@app.get("/static/own.css")
async def own(): return "the view"

@app.get("/early/{path:path}")
async def early(path: str): return "the view"

app.mount("/early", StaticFiles(directory="static"))
app.mount("/static", StaticFiles(directory="static"))

@app.get("/static/app.css")
async def late(): return "the view"
"""


def test_a_route_before_the_folder_answers_and_one_after_it_does_not() -> None:
    with served({"app.py": EARLY, "static/app.css": "a file", "static/own.css": "a file"}) as run:
        assert run.get("/static/own.css").json() == "the view"
        assert run.get("/early/app.css").json() == "the view"
        assert run.get("/static/app.css").text == "a file"
        assert upstream(run, "/static/app.css") == ""


def test_the_app_keeps_what_it_protects(run: Served) -> None:
    assert run.get("/members/list.txt").status_code == 403
    answer = run.get("/members/list.txt?second", headers={"Cookie": "user=me"})
    assert (answer.status_code, answer.text) == (200, "names")
    assert upstream(run, "/members/list.txt?second") != ""
    assert run.get("/members/list.txt").status_code == 403
    assert "StaticFiles of the app at /members is left to the app" in run.stderr()


def test_settings_beside_a_view_hold(run: Served) -> None:
    for path in (
        "/v1/jobs/1",
        "/v1/jobs/1%0A",
        "/v1//jobs/1",
        "/v1/x/../jobs/1",
        "//v1/jobs/1",
        "/v1/jobs/%31",
    ):
        assert run.get(path).text != "1", path
    assert run.get("/v1/jobs/1").status_code == 404
    assert run.client.post(f"{run.url}/v1/import", content=b"x" * 1024).json() == 1024
    assert run.client.post(f"{run.url}/v1/import", content=b"x" * 1025).status_code == 413
    assert run.get("/v1/slow").status_code == 504
    assert run.get("/v1/other").json() == {"page": "v1/other"}
