"""Over Apache httpd, max_upload holds for every way to the app, with a length and without one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Served, served

WSGI = """
from flask import Flask, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
@app.post("/large")
def size():
    return str(len(request.get_data()))
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})
"""
TOML = """
max_upload = "1MiB"
[routes."/large"]
max_upload = "4MiB"
"""
MIB = 1 << 20


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = WSGI if request.param == "wsgi" else ASGI
    with served({"app.py": app, "portico.toml": TOML}, "--gateway", "apache", "--workers", "1") as run:
        yield run


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/", MIB, 200), ("/", MIB + 1, 413), ("/large", 4 * MIB, 200), ("/large", 4 * MIB + 1, 413)],
)
def test_an_upload_above_the_size_is_413(site: Served, path: str, size: int, status: int) -> None:
    answer = site.client.post(site.url + path, content=b"x" * size)
    assert answer.status_code == status
    assert status == 413 or answer.text == str(size)


def test_an_upload_without_a_length_is_411(site: Served) -> None:
    """httpd counts no body that it passes on: one without a length had no limit."""
    answer = site.client.post(site.url, content=iter([b"x" * 1000, b"x" * 1000]))
    assert answer.status_code == 411
