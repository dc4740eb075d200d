"""The app that every peer serves: one view for each workload, nothing tuned, nothing cached."""

from __future__ import annotations

import time
from pathlib import Path

from flask import Flask, Response, jsonify, render_template, request

app = Flask(__name__)

_CHUNK = 65536
_WORDS = ("ash", "birch", "cedar", "elm", "hazel", "juniper", "larch", "rowan", "willow", "yew")
_ITEMS = [
    {
        "id": number,
        "name": f"{_WORDS[number % 10]} {_WORDS[number // 10 % 10]}",
        "price": number * 1.25,
        "stock": number % 7,
        "tags": [_WORDS[number % 10], _WORDS[number * 3 % 10]],
        "shelf": f"{number % 12:02d}-{number % 5}",
    }
    for number in range(180)
]


@app.get("/text")
def text() -> str:
    return "Hello, World!"


@app.get("/json")
def json() -> Response:
    """About 10 kB."""
    return jsonify(_ITEMS[:101])


@app.get("/wait")
def wait() -> str:
    """A view that waits 10 ms for somebody else: a database, another service."""
    time.sleep(0.01)
    return "waited"


@app.get("/kept")
def kept() -> Response:
    """2 kB that everybody may keep."""
    return Response("x" * 2000, headers={"Cache-Control": "public, max-age=3600"})


@app.get("/slow")
def slow() -> str:
    """A second of work; a file counts how often."""
    with Path("slow.txt").open("a") as file:
        file.write("x")
    time.sleep(1)
    return "slow"


@app.post("/upload")
def upload() -> str:
    received = 0
    while chunk := request.stream.read(_CHUNK):
        received += len(chunk)
    return str(received)


@app.get("/page")
def page() -> str:
    """About 30 kB of HTML from a template with a base, a loop and escaping."""
    return render_template("page.html", items=_ITEMS, title="Everything <in> stock")
