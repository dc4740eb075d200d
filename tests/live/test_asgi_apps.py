"""Apps of the known ASGI frameworks, each as its documentation writes it: what they give is what the client gets."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support import Served, private_directory, served

STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

@asynccontextmanager
async def lifespan(app):
    yield {"begun": True}

async def seen(request):
    url = request.url_for("seen")
    return JSONResponse({"client": request.client.host, "url": str(url), "begun": request.state.begun,
                         "query": request.query_params["q"]})

async def total(request):
    return JSONResponse(sum((await request.json())["numbers"]))

async def parts(request):
    async def made():
        for number in range(100):
            yield f"{number}\\n"
    return StreamingResponse(made(), media_type="text/plain")

async def echo(socket):
    await socket.accept()
    await socket.send_text((await socket.receive_text())[::-1])
    await socket.close(4000)

app = Starlette(lifespan=lifespan, routes=[
    Route("/seen", seen, name="seen"), Route("/total", total, methods=["POST"]), Route("/parts", parts),
    WebSocketRoute("/echo", echo)])
"""
FASTAPI = """
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

@asynccontextmanager
async def lifespan(app):
    app.state.begun = True
    yield

app = FastAPI(lifespan=lifespan)

class Numbers(BaseModel):
    numbers: list[int]

@app.get("/seen")
def seen(request: Request, q: str):
    return {"client": request.client.host, "url": str(request.url_for("seen")), "begun": app.state.begun, "query": q}

@app.post("/total")
async def total(given: Numbers) -> int:
    return sum(given.numbers)

@app.get("/parts")
async def parts():
    return StreamingResponse((f"{number}\\n" for number in range(100)), media_type="text/plain")

@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    await socket.send_text((await socket.receive_text())[::-1])
    await socket.close(4000)
"""
QUART = """
from quart import Quart, jsonify, request, url_for, websocket

app, begun = Quart(__name__), []

@app.before_serving
async def begin():
    begun.append(True)

@app.get("/seen")
async def seen():
    return {"client": request.remote_addr, "url": url_for("seen", _external=True), "begun": begun[0],
            "query": request.args["q"]}

@app.post("/total")
async def total():
    return jsonify(sum((await request.get_json())["numbers"]))

@app.get("/parts")
async def parts():
    async def made():
        for number in range(100):
            yield f"{number}\\n"
    return made(), 200, {"Content-Type": "text/plain"}

@app.websocket("/echo")
async def echo():
    await websocket.send((await websocket.receive())[::-1])
    await websocket.close(4000)
"""
LITESTAR = """
from typing import Any
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.response import Stream

begun = []

@get("/seen", name="seen")
async def seen(request: Request, q: str) -> dict[str, Any]:
    return {"client": request.client.host, "url": request.url_for("seen"), "begun": begun[0], "query": q}

@post("/total", status_code=200)
async def total(data: dict[str, list[int]]) -> int:
    return sum(data["numbers"])

@get("/parts")
async def parts() -> Stream:
    return Stream((f"{number}\\n" for number in range(100)), media_type="text/plain")

@websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text((await socket.receive_text())[::-1])
    await socket.close(4000)

app = Litestar([seen, total, parts, echo], on_startup=[lambda: begun.append(True)])
"""
DJANGO = """
import asyncio, json
from django.conf import settings
settings.configure(SECRET_KEY="k" * 50, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DEBUG=False)
from django.core.asgi import get_asgi_application
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

async def seen(request):
    await asyncio.sleep(0)
    return JsonResponse({"client": request.META["REMOTE_ADDR"], "url": request.build_absolute_uri("/seen"),
                         "begun": True, "query": request.GET["q"]})

def total(request):
    return JsonResponse(sum(json.loads(request.body)["numbers"]), safe=False)

async def parts(request):
    async def made():
        for number in range(100):
            yield f"{number}\\n"
    return StreamingHttpResponse(made(), content_type="text/plain")

urlpatterns = [path("seen", seen), path("total", total), path("parts", parts)]
app = get_asgi_application()
"""
APPS = {"starlette": STARLETTE, "fastapi": FASTAPI, "quart": QUART, "litestar": LITESTAR, "django": DJANGO}


@pytest.fixture(scope="module", params=APPS)
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served({"app.py": APPS[request.param]}, "--workers", "1") as made:
        yield made


def test_the_app_knows_its_client_its_address_and_that_it_has_started(run: Served) -> None:
    answer = run.get("/seen?q=%C3%A9", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"})
    assert answer.json() == {"client": "127.0.0.1", "url": f"{run.url}/seen", "begun": True, "query": "é"}


def test_a_body_arrives_and_an_answer_in_parts_is_whole(run: Served) -> None:
    assert run.client.post(f"{run.url}/total", json={"numbers": [*range(50_000)]}).json() == 1_249_975_000
    assert run.get("/parts").text == "".join(f"{number}\n" for number in range(100))
    assert run.get("/none").status_code == 404


def test_a_websocket_is_answered_and_closed_with_the_app_s_code(run: Served) -> None:
    if "django" in (run.directory / "app.py").read_text():  # it has no WebSockets of its own
        with pytest.raises(InvalidStatus, match="500"):
            connect(f"ws://127.0.0.1:{run.port}/echo")
        return
    with connect(f"ws://127.0.0.1:{run.port}/echo") as socket:
        socket.send("abc")
        assert socket.recv() == "cba"
        with pytest.raises(ConnectionClosed, match="4000"):
            socket.recv()


def test_datasette() -> None:
    """A whole app of others: pages, JSON, its own files."""
    with private_directory() as home:
        _database(home / "shop.db")
        code = "from datasette.app import Datasette\napp = Datasette(['shop.db']).app()\n"
        with served(
            {"app.py": code}, "--workers", "1", "--health", "/-/versions.json", directory=home
        ) as run:
            rows = run.get("/shop/items.json?_shape=array").json()
            assert [row["name"] for row in rows] == ["ball", "book"]
            assert "ball" in run.get("/shop/items").text
            style = run.get("/-/static/app.css")
            assert (style.status_code, style.headers["content-type"].partition(";")[0]) == (200, "text/css")
            assert json.loads(run.get("/-/versions.json").text)["datasette"]["version"]


def _database(file: Path) -> None:
    with sqlite3.connect(file) as made:
        made.execute("create table items (id integer primary key, name text)")
        made.executemany("insert into items (name) values (?)", [("ball",), ("book",)])
    made.close()
    file.chmod(0o644)
