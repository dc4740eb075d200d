"""Settings beside a route reach that route, and no other, behind each nginx."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, served

APP = """
import time
from flask import Flask, Response, request
from portico import edge

app = Flask(__name__)

def add(rule, *marks, endpoint):
    def view(**found):
        return endpoint
    for mark in marks:
        view = mark(view)
    app.add_url_rule(rule, endpoint, view)

add("/", endpoint="home")
add("/me", edge.private, endpoint="private me")
add("/a/<path:rest>", edge.private, endpoint="private rest")
add("/a/<int:n>", endpoint="number")
add("/a/b/<name>", endpoint="named")
add("/a/b/<name>/mine", edge.private, endpoint="private mine")
add("/a/fixed", endpoint="fixed")
add("/q.x/<any(on,off):state>", edge.private, endpoint="private state")
add("/q.x/<other>", endpoint="other state")
add("/static/made/<int:n>", edge.private, endpoint="private made")
add("/static/made/<int:n>/open", endpoint="made")
add("/u-<uuid:key>", edge.private, endpoint="private uuid")
add("/t/<path:rest>", edge.private, endpoint="private tail")
add("/t/<path:rest>/raw", endpoint="raw tail")
app.add_url_rule("/loose", "loose", edge.private(lambda: "private loose"), strict_slashes=False)
app.add_url_rule("/lax/<int:n>/", "lax", edge.private(lambda n: "private lax"), strict_slashes=False)
add("/list/", edge.private, endpoint="private list")
add("/either/", edge.private, endpoint="private either")
add("/either", endpoint="either")

@app.post("/list/")
def listed():
    return request.get_data()

@app.get("/said")
@edge.private
def said():
    return Response("said", headers={"Cache-Control": "max-age=5"})

@app.get("/slow/<float:seconds>")
@edge.timeout("8s")
def slow(seconds):
    time.sleep(seconds)
    return "waited"

@app.get("/slow")
def slow_here():
    time.sleep(3)
    return "waited"

@app.post("/import")
@edge.max_upload("3MiB")
def load():
    return str(len(request.get_data()))

@app.get("/form")
def form():
    return "form"

@app.get("/tick")
@edge.stream
def tick():
    def beats():
        yield "one "
        time.sleep(2.5)
        yield "two"
    return Response(beats(), mimetype="text/plain")
"""
TOML = """
request_timeout = "2s"
max_upload = "1MiB"
[routes."/form"]
private = true
"""
PATHS = [
    "/", "/me", "/me/", "/a/x", "/a/1", "/a/1/2", "/a/b/", "/a/b/c", "/a/b/c/mine", "/a/b/c/d", "/a/b/c/mine/too",
    "/a/fixed", "/a/fixed/on", "/a/%31", "/a/b%2Fc", "/a//x", "/q.x/on", "/q.x/off", "/q.x/maybe", "/qqx/on",
    "//me", "///a/x", "//a/1", "//a/b/c/mine", "//a/fixed", "//q.x/off", "//static/made/7", "/list/", "//list/",
    "/either", "/either/", "/t/x", "/t/x/raw", "/t/x/y/raw", "/t/raw", "/loose", "/loose/", "/lax/3", "/lax/3/",
    "//lax/3",
    "/static/made/7", "/static/made/7/open", "/static/made/x", "/u-12345678-1234-1234-1234-123456789abc", "/u-1",
]  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    files = {"app.py": APP, "portico.toml": TOML, "static/a.css": "a"}
    with served(files, "--nginx", request.param) as made:
        yield made


@pytest.mark.parametrize("path", PATHS)
def test_a_setting_is_where_its_view_answers(run: Served, path: str) -> None:
    answer = run.get(path)
    is_private = answer.status_code == 200 and answer.text.startswith("private")
    # A path that no route has is the whole site's, or of the pattern it looks like: the app answers 404 either way.
    if answer.status_code == 200:
        assert (answer.headers.get("Cache-Control") == "private, no-store") == is_private, answer.text
    assert answer.headers["X-Request-ID"]


def test_what_the_app_says_itself_stands(run: Served) -> None:
    assert run.get("/said").headers.get_list("Cache-Control") == ["max-age=5"]
    assert run.get("/form").headers["Cache-Control"] == "private, no-store"


def test_a_route_may_be_slower_than_the_site(run: Served) -> None:
    assert run.get("/slow/4.5").text == "waited"
    assert run.get("/slow").status_code == 504
    assert "stuck" not in run.stderr_path.read_text().partition("GET /slow/")[2]


def test_a_route_may_take_more_than_the_site(run: Served) -> None:
    assert httpx.post(f"{run.url}/import", content=b"x" * (2 << 20), timeout=60).text == str(2 << 20)
    assert httpx.post(f"{run.url}/import", content=b"x" * (4 << 20), timeout=60).status_code == 413
    for path in ("/form", "//form"):
        assert httpx.post(run.url + path, content=b"x" * (2 << 20), timeout=60).status_code == 413


def test_the_app_decides_about_a_slash_that_is_missing(run: Served) -> None:
    """nginx by itself would redirect by 301, and the POST would become a GET."""
    answer = httpx.post(f"{run.url}/list", content=b"x", follow_redirects=True, timeout=60)
    assert (answer.text, [one.status_code for one in answer.history]) == ("x", [308])


def test_a_stream_may_be_silent(run: Served) -> None:
    with httpx.stream("GET", f"{run.url}/tick", timeout=30) as answer:
        pieces = list(answer.iter_text())
    assert "".join(pieces) == "one two"
    assert pieces[0].strip() == "one"
