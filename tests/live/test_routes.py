"""Settings beside a route reach that route, and no other, behind each nginx."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, portico, served
from tests.support.clients import talk
from tests.support.wire import status

APP = """
import time
from flask import Flask, Response, request
from flask_sock import Sock
from portico import edge

app = Flask(__name__)
sock = Sock(app)

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

add("/line/<int:n>", endpoint="numbered line")
add("/line/<name>", edge.private, endpoint="private line")
add("/lax/b/", edge.private, endpoint="private b")
app.add_url_rule("/lax/c/", "lax c", edge.private(lambda: "private c"), strict_slashes=False)

@app.get("/both/<int:n>")
@edge.private
def both(n):
    return "private both"

@app.post("/both/<int:m>")
@edge.max_upload("3MiB")
def both_post(m):
    return str(len(request.get_data()))

@app.post("/split/<int:n>")
def split_post(n):
    return "split"

@app.get("/split/<path:rest>")
@edge.private
def split(rest):
    return "private split"

@app.post("/list/")
def listed():
    return request.get_data()

@app.get("/said")
@edge.private
def said():
    return Response("said", headers={"Cache-Control": "max-age=5"})

@app.get("/slow/<float:seconds>")
@edge.timeout("20s")
def slow(seconds):
    time.sleep(seconds)
    return "waited"

@app.get("/slow")
def slow_here():
    time.sleep(6)
    return "waited"

@app.post("/import")
@edge.max_upload("3MiB")
def load():
    return str(len(request.get_data()))

@app.get("/form")
def form():
    return "form"

@app.route("/small", methods=["GET", "POST"])
@edge.max_upload("1KiB")
def small():
    return str(len(request.get_data()))

@sock.route("/talk")
def talk(ws):
    ws.send(ws.receive())

@app.get("/tick")
@edge.stream
def tick():
    def beats():
        yield "one "
        time.sleep(4.5)
        yield "two"
    return Response(beats(), mimetype="text/plain")
"""
TOML = """
request_timeout = "4s"
max_upload = "1MiB"
[routes."/form"]
private = true
[routes."/talk"]
private = true
"""
PATHS = [
    "/", "/me", "/me/", "/a/x", "/a/1", "/a/1/2", "/a/b/", "/a/b/c", "/a/b/c/mine", "/a/b/c/d", "/a/b/c/mine/too",
    "/a/fixed", "/a/fixed/on", "/a/%31", "/a/b%2Fc", "/a//x", "/q.x/on", "/q.x/off", "/q.x/maybe", "/qqx/on",
    "//me", "///a/x", "//a/1", "//a/b/c/mine", "//a/fixed", "//q.x/off", "//static/made/7", "/list/", "//list/",
    "/either", "/either/", "/t/x", "/t/x/raw", "/t/x/y/raw", "/t/raw", "/loose", "/loose/", "/lax/3", "/lax/3/",
    "//lax/3", "/line/5", "/line/5%0a", "/line/x", "/lax/c", "/lax/c/", "/lax/c//", "/both/1", "/split/5", "/split/x",
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
    assert run.get("/slow/6.5").text == "waited"
    assert run.get("/slow").status_code == 504
    assert "stuck" not in run.stderr_path.read_text().partition("GET /slow/")[2]


def test_a_route_may_take_more_than_the_site(run: Served) -> None:
    assert httpx.post(f"{run.url}/import", content=b"x" * (2 << 20), timeout=60).text == str(2 << 20)
    assert httpx.post(f"{run.url}/import", content=b"x" * (4 << 20), timeout=60).status_code == 413
    for path in ("/form", "//form"):
        assert httpx.post(run.url + path, content=b"x" * (2 << 20), timeout=60).status_code == 413


def test_rules_of_one_path_that_split_it_by_method_have_the_settings_of_both(run: Served) -> None:
    assert httpx.post(f"{run.url}/both/1", content=b"x" * (2 << 20), timeout=60).text == str(2 << 20)
    assert httpx.post(f"{run.url}/split/5", timeout=60).headers["Cache-Control"] == "private, no-store"


def test_the_app_decides_about_a_slash_that_is_missing(run: Served) -> None:
    """nginx by itself would redirect by 301, and the POST would become a GET."""
    answer = httpx.post(f"{run.url}/list", content=b"x", follow_redirects=True, timeout=60)
    assert (answer.text, [one.status_code for one in answer.history]) == ("x", [308])


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("path", ["/me", "//me", "/a/x", "/a/b/c/mine", "/static/made/7", "/form"])
def test_a_handshake_keeps_a_route_private(run: Served, path: str) -> None:
    """It goes on in a location for WebSockets, whatever it is: of a route the settings go along."""
    answer = run.get(path, headers=HANDSHAKE)
    # Werkzeug: the view is none for WebSockets. Over httpd it sees no handshake.
    assert answer.status_code == (200 if run.is_apache else 400)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Request-ID"]
    assert "Cache-Control" not in run.get("/a/1", headers=HANDSHAKE).headers


def test_a_handshake_takes_no_more_than_its_route(run: Served) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    head = f"GET /small HTTP/1.1\r\nHost: a\r\n{lines}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", run.port), 60) as connection:
        connection.sendall(head + chunk)
        assert status(connection) == (411 if run.is_apache else 413)


@pytest.mark.of_nginx  # httpd's uwsgi module carries no WebSockets
def test_a_websocket_has_the_settings_of_its_route(run: Served) -> None:
    with talk(run.port, "/talk") as made:
        made.send("hello")
        assert made.recv(60) == "hello"
        assert made.response is not None
        assert made.response.headers["Cache-Control"] == "private, no-store"


def test_who_is_let_in_during_maintenance_has_the_settings_of_a_route(run: Served) -> None:
    assert portico("maintenance", "on", "--allow", "127.0.0.1", cwd=run.directory).returncode == 0
    try:
        for headers in ({}, HANDSHAKE):
            answer = run.get("/me", headers=headers)
            assert answer.status_code == (400 if headers and not run.is_apache else 200)
            assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Cache-Control" not in run.get("/a/1").headers
    finally:
        assert portico("maintenance", "off", cwd=run.directory).returncode == 0


def test_a_stream_may_be_silent(run: Served) -> None:
    with httpx.stream("GET", f"{run.url}/tick", timeout=30) as answer:
        pieces = list(answer.iter_text())
    assert "".join(pieces) == "one two"
    assert pieces[0].strip() == "one"


DJANGO = """
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import include, path, re_path
from portico import edge

settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[])

def said(text):
    def view(request, **found):
        return HttpResponse(text)
    return edge.private(view) if text.startswith("private") else view

urlpatterns = [
    re_path(r"^exact/(?P<n>\\d+)$", said("exact")),
    re_path(r"^exact/", said("private rest")),
    re_path(r"^open/(?P<n>\\d+)", said("private open")),
    re_path(r"in the middle", said("private middle")),
    re_path(r"^one/$|^two/$", said("private two")),
    re_path(r"^many/(?:.*)$", said("many")),
    path("many/one", said("private but never called")),
    re_path(r"^sub/(?P<a>\\w+)/", include([path("x/", said("private x")), re_path("", said("rest"))])),
]
import django
django.setup()
app = WSGIHandler()
"""


@pytest.mark.parametrize("build", ["embedded", "system"])
def test_django_s_re_path_without_a_dollar_gets_its_settings(build: str) -> None:
    paths = [
        "/exact/5", "/exact/5%0a", "/exact/", "/open/5", "/open/5/more", "/open/x", "/a/in%20the%20middle/b", "/one/",
        "/two/", "/many/one", "/many/two", "/sub/a/x/", "/sub/a/y", "/sub/a/x/y",
    ]  # fmt: skip
    answered = set()
    with served({"app.py": DJANGO}, "--nginx", build) as run:
        for path in paths:
            answer = run.get(path)
            if answer.status_code == 200:
                is_private = answer.headers.get("Cache-Control") == "private, no-store"
                assert is_private == answer.text.startswith("private"), (path, answer.text)
                answered.add(answer.text)
    assert {"exact", "many", "rest", "private open", "private middle", "private two", "private x"} <= answered
