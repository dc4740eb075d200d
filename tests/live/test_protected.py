"""Static files that code of the app's own protects stay protected, and what it says with the others is not lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Served, portico, private_directory, served, write_files

GUARDED = """
from flask import Blueprint, Flask, abort, request

app = Flask(__name__)
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600

@app.before_request
def guard():
    is_page = request.path == "/" or request.endpoint == "open.static"
    if not is_page and request.cookies.get("token") != "let-me-in":
        abort(401, "log in first")

inside = Blueprint("inside", __name__, static_folder="inside", url_prefix="/static/inside")
app.register_blueprint(inside)
open_one = Blueprint("open", __name__, static_folder="open", url_prefix="/open")
app.register_blueprint(open_one)

@app.after_request
def say(answer):
    answer.headers["Content-Security-Policy"] = "default-src 'self'; img-src \\"x\\\\y\\""
    answer.headers["X-Frame-Options"] = "DENY"
    if request.path.startswith("/open/"):
        answer.headers["Cache-Control"] = "private, max-age=60"
    return answer

@app.get("/")
def home():
    return "home"
"""
FILES = {
    "app.py": GUARDED,
    "static/secret.css": "secret " * 300,
    "static/favicon.ico": "secret icon",
    "static/large.txt": "secret and large\n" * 10_000,
    "inside/static/x.css": "secret, too",
    "inside/x.css": "secret, too",
    "open/open.css": "body { color: teal }\n" * 200,
    "open/robots.txt": "User-agent: *",
}
LOGGED_IN = {"Cookie": "token=let-me-in"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def guarded(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(FILES, "--nginx", request.param) as run:
        yield run


@pytest.mark.parametrize(
    "path", ["/static/secret.css", "/static/inside/inside/x.css", "/favicon.ico", "/static/large.txt"]
)
def test_what_a_hook_protects_is_not_sent_to_a_stranger(guarded: Served, path: str) -> None:
    """Also not after somebody who may see it has asked: Flask marks the file `public`."""
    known = guarded.get(path, headers=LOGGED_IN)
    assert path == "/favicon.ico" or known.text.startswith("secret")
    for spelling in (path, "/" + path):
        guarded.get(spelling, headers=LOGGED_IN)
        answer = guarded.get(spelling)
        assert answer.status_code == 401
        assert "log in first" in answer.text
        assert "secret" not in answer.text


def test_nginx_carries_a_large_file_that_the_app_lets_out(guarded: Served) -> None:
    answer = guarded.get("/static/large.txt", headers=LOGGED_IN)
    assert answer.text == FILES["static/large.txt"]
    assert guarded.line(answer)["upstream"]


def test_a_folder_that_the_hook_lets_everybody_see_comes_from_nginx_with_the_app_s_headers(
    guarded: Served,
) -> None:
    for more in ({"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip, br"}):
        answer = guarded.get("/open/open/open.css", headers=more)
        assert answer.status_code == 200
        assert not guarded.line(answer).get("upstream")
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'; img-src \"x\\y\""
        assert answer.headers.get_list("X-Frame-Options") == ["DENY"]
        assert answer.headers.get_list("Cache-Control") == ["private, max-age=60"]


def test_the_banner_names_what_is_left_to_the_app_and_what_is_said(guarded: Served) -> None:
    said = guarded.stderr()
    assert (
        "the app's static folder is left to the app: "
        "the app answers 401 to an anonymous client that requests /static/favicon.ico" in said
    )
    assert "static folder of blueprint 'inside' is left to the app" in said
    gateway = "apache" if guarded.is_apache else "nginx"
    names = "Cache-Control, Content-Security-Policy, X-Frame-Options"
    assert f"{gateway} sends /open/open/ with the app's own headers: {names}" in said


def test_check_and_plan_say_it_and_a_declared_folder_is_public() -> None:
    with private_directory() as home:
        write_files(home, FILES)
        checked = portico("check", cwd=home).stdout
        assert "the app's static folder is left to the app: the app answers 401" in checked
        assert f'"/static/" = "{home}/static"' in checked
        assert "static /open/open/: nginx sends the app's own headers" in checked
        assert (
            "note: the app's static folder is left to the app: the app answers 401"
            in portico("plan", cwd=home).stdout
        )
        write_files(home, {"portico.toml": '[static]\n"/static/" = "static"\n'})
        planned = portico("plan", cwd=home).stdout
        assert "location ^~ /static/ {" in planned
        assert "the app's static folder is left to the app" not in planned


WRAPPED = """
from flask import Flask
site = Flask(__name__)

@site.get("/")
def home():
    return "home"

class Door:
    def __init__(self, inner):
        self.inner = self.app = inner

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] != "/" and "HTTP_AUTHORIZATION" not in environ:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"no"]
        return self.inner(environ, start_response)

"""
PYRAMID = """
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.response import Response

def door(handler, registry):
    def enter(request):
        if request.path != "/" and not request.authorization:
            return HTTPForbidden()
        return handler(request)
    return enter

def main():
    config = Configurator()
    config.add_route("home", "/")
    config.add_view(lambda request: Response("home"), route_name="home")
    config.add_static_view("static", "static")
    config.add_tween("app.door")
    return config.make_wsgi_app()

app = main()
"""
DJANGO = """
from django.conf import settings
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import path, re_path
from django.views.static import serve

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", STATIC_URL="/static/", STATIC_ROOT="static")

def files(request, path):
    return serve(request, path, "static") if "HTTP_AUTHORIZATION" in request.META else HttpResponseForbidden("no")

urlpatterns = [path("", lambda request: HttpResponse("home")), re_path("^static/(?P<path>.*)$", files)]

from django.core.wsgi import get_wsgi_application
app = get_wsgi_application()
"""


@pytest.mark.parametrize(
    "code",
    [
        WRAPPED + "site.wsgi_app = Door(site.wsgi_app)\napp = site",
        WRAPPED + "app = Door(site)",
        PYRAMID,
        DJANGO,
    ],
    ids=["inside", "around", "pyramid", "django"],
)
def test_what_middleware_or_a_view_protects_is_not_sent_to_a_stranger(code: str) -> None:
    with served({"app.py": code, "static/secret.css": "secret"}, "app:app") as run:
        assert run.get("/static/secret.css").status_code == 403
        assert run.get("/static/secret.css", headers={"Authorization": "Basic eDp5"}).text == "secret"
        assert run.get("/static/secret.css").status_code == 403
        assert "is left to the app: the app answers 403" in run.stderr()
