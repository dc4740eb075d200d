"""Routes that lie under the URL of a static folder are the app's, and the folder's files are nginx's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, served

FLASK = """
from flask import Blueprint, Flask
from portico import edge

app = Flask(__name__)
page = Blueprint("browser", __name__, url_prefix="/browser", static_folder="files", static_url_path="")

@page.get("/")
def index():
    return "index"

@page.get("/js/utils.js")
def script():
    return "made script"

@page.get("/nodes/<int:n>/")
@edge.private
def node(n):
    return f"node {n}"

@page.get("/<name>.py")
def source(name):
    return "made " + name

@page.post("/wizard")
def wizard():
    return "wizard"

@page.route("/api/<path:rest>", methods=["GET", "POST"])
def api(rest):
    return "api " + rest

app.register_blueprint(page)
"""
DJANGO = """
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path, re_path

settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, STATIC_URL="/browser/",
                   STATIC_ROOT=__file__.rpartition("/")[0] + "/files", MIDDLEWARE=[])

def said(text):
    return lambda request, **found: HttpResponse(text)

urlpatterns = [
    path("browser/", said("index")),
    path("browser/js/utils.js", said("made script")),
    path("browser/nodes/<int:n>/", said("node")),
    re_path(r"^.*$", said("the page of the front end")),
]
import django
django.setup()
app = WSGIHandler()
"""
PYRAMID = """
from pyramid.config import Configurator
from pyramid.response import Response

with Configurator() as config:
    for name, pattern in (("index", "/browser/"), ("script", "/browser/js/utils.js"), ("node", "/browser/nodes/{n}/")):
        config.add_route(name, pattern)
        config.add_view(lambda request, name=name: Response(name), route_name=name)
    config.add_static_view("browser", "app:files")
    config.add_route("late", "/browser/late/{n}")
    config.add_view(lambda request: Response("late"), route_name="late")
    app = config.make_wsgi_app()
"""
FILES = {"files/a.css": "a", "files/nodes/b.css": "b", "files/.env": "secret", "files/secret.tmpl~": "secret"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def flask(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served({"app.py": FLASK, **FILES}, "--nginx", request.param) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/browser/", "index"),
        ("/browser/js/utils.js", "made script"),
        ("/browser/nodes/5/", "node 5"),
        ("/browser/x.py", "made x"),
        ("/browser/api/a/b.css", "api a/b.css"),
        ("/browser/api/.env", "api .env"),
    ],
)
def test_a_blueprint_whose_static_url_is_its_own_prefix_keeps_its_pages(
    flask: Served, path: str, text: str
) -> None:
    answer = flask.get(path)
    assert (answer.status_code, answer.text) == (200, text)
    is_private = answer.headers.get("Cache-Control") == "private, no-store"
    assert is_private == path.startswith("/browser/nodes/")


def test_its_pages_take_what_a_folder_does_not(flask: Served) -> None:
    assert httpx.post(f"{flask.url}/browser/wizard", timeout=60).text == "wizard"
    assert httpx.post(f"{flask.url}/browser/api/x", timeout=60).text == "api x"
    moved = httpx.post(f"{flask.url}/browser", timeout=60)
    assert moved.status_code != 301, "nginx itself redirects, and a POST becomes a GET"


def test_its_files_are_still_nginx_s(flask: Served) -> None:
    for path in ("/browser/a.css", "/browser/nodes/b.css"):
        answer = flask.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/browser/.env", "/browser/secret.tmpl~", "/browser/nothing.css"):
        assert flask.get(path).status_code == 404


@pytest.mark.parametrize("source", [DJANGO, PYRAMID], ids=["django", "pyramid"])
def test_a_route_under_a_static_url_is_the_app_s_in_other_frameworks_too(source: str) -> None:
    with served({"app.py": source, **FILES}) as run:
        assert run.get("/browser/").text == "index"
        assert run.get("/browser/js/utils.js").text in ("made script", "script")
        assert run.get("/browser/nodes/5/").text == "node"
        assert run.get("/browser/a.css").text == "a"
        assert run.get("/browser/nothing.css").status_code == 404
        assert run.get("/browser/late/5").status_code == 404
