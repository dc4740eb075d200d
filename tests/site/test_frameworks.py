"""Frameworks beside Flask and Django: which object is the app, and what is named instead of served."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.site.facts import AppFacts
from portico.values import AppRef
from tests.site.asked import discover
from tests.support import write_files

Ask = Callable[..., AppFacts]
CALLED = "    def __call__(self, environ, start_response): ...\n"
ASYNC = "    async def __call__(self, scope, receive, send): ...\n"


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def ask(code: str, reference: str = "shop", **files: str) -> AppFacts:
        write_files(tmp_path, {"shop.py": code, **files})
        return discover(AppRef.parse(reference), tmp_path, timeout=60)

    return ask


def made(module: str, name: str, body: str = CALLED) -> str:
    """A class that says it is the framework's: most frameworks are too large to install for a test."""
    return f"class {name}:\n{body}{name}.__module__ = {module!r}\n"


@pytest.mark.parametrize(
    ("code", "app", "kind"),
    [
        ("import bottle\nshop = bottle.Bottle()\n", "shop:shop", "wsgi"),
        ("import bottle\napp = bottle.default_app()\n", "shop:app", "wsgi"),
        ("from bottle import *\n@route('/')\ndef home(): return 'home'\n", "shop:app()", "wsgi"),
        (made("falcon.app", "App") + "api = App()\n", "shop:api", "wsgi"),
        (made("falcon.app", "App", ASYNC) + "api = App()\n", "shop:api", "asgi"),
        (made("sanic.app", "Sanic", ASYNC) + "server = Sanic()\n", "shop:server", "asgi"),
        (made("cherrypy._cptree", "Application") + "tree = Application()\n", "shop:tree", "wsgi"),
        ("from fastapi import FastAPI\napi = FastAPI()\n", "shop:api", "asgi"),
    ],
    ids=["bottle", "bottle-default", "bottle-routes", "falcon", "falcon-asgi", "sanic", "cherrypy", "fastapi"],
)  # fmt: skip
def test_the_app_is_found_by_what_it_is(ask: Ask, code: str, app: str, kind: str) -> None:
    facts = ask(code)
    assert (facts.app, facts.kind) == (app, kind)


DASH = f"""
from flask import Flask
{made("dash.dash", "Dash", CALLED)}
app = Dash()
app.server = Flask(__name__)
def update_graph(value): ...
"""


@pytest.mark.parametrize(
    ("code", "reference", "uri"),
    [
        (DASH, "shop", "portico.link.app.load:server('shop:app')"),
        (DASH, "shop:app", "portico.link.app.load:server('shop:app')"),
        (DASH + "server = app.server\n", "shop", "shop:server"),
    ],
)
def test_dash_is_served_by_its_server(ask: Ask, tmp_path: Path, code: str, reference: str, uri: str) -> None:
    """It is the Flask app inside, with its static folders; not the first function of the module."""
    facts = ask(code, reference)
    assert (facts.app, facts.kind) == (uri, "flask")
    imports = f"from gunicorn.util import import_app; print(type(import_app({uri!r})).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", imports], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "Flask\n"


PASTE = """
from pyramid.config import Configurator
def main(settings, **words):
    return Configurator(settings=words).make_wsgi_app()
"""
INI = "[app:main]\npaste.app_factory = project:main\npyramid.debug_all = true\n"


def test_pyramid_s_file_makes_the_app(ask: Ask) -> None:
    facts = ask("", "production.ini", **{"production.ini": INI, "project.py": PASTE})
    assert (facts.app, facts.kind) == ("portico.link.app.paste:app('production.ini')", "pyramid")
    assert any("debug_all" in one.what for one in facts.risks), "its settings are the file's"


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (made("aiohttp.web_app", "Application") + "app = Application()", "this is an aiohttp app", "web.run_app"),
        (made("tornado.web", "Application") + "def make_app(): return Application()", "a Tornado app", "servers"),
        (made("typer.main", "Typer") + "app = Typer()", "this is a Typer app: it is a command line", "name the module"),
        (made("celery.app.base", "Celery", "    ...\n") + "app = Celery()", "this is a Celery app", "name the module"),
        ("import bottle\n@bottle.route('/')\ndef home(): ...\n", "its bottle app has no name", "bottle.default_app()"),
    ],
    ids=["aiohttp", "tornado", "typer", "celery", "bottle"],
)  # fmt: skip
@pytest.mark.parametrize("reference", ["shop", "shop:app"])
def test_what_no_server_can_run_is_named(ask: Ask, code: str, what: str, hint: str, reference: str) -> None:
    if reference == "shop:app" and "app = " not in code:
        return
    with pytest.raises(UsageError) as raised:
        ask(code, reference)
    (problem,) = raised.value.problems
    assert what in problem.what
    assert hint in problem.hint


CONF = """
import multiprocessing, pathlib
pathlib.Path("executed").touch()
workers = multiprocessing.cpu_count() * 2 + 1
threads = 4
timeout = 120
bind = "0.0.0.0:8000"
def post_fork(server, worker): ...
"""


def test_the_app_s_gunicorn_conf_is_read_and_not_executed(ask: Ask, tmp_path: Path) -> None:
    notes = ask("def app(environ, start_response): ...", **{"gunicorn.conf.py": CONF}).notes
    assert (
        'gunicorn.conf.py is not used; in portico.toml say workers.threads = 4, request_timeout = "120s"'
        in notes
    )
    assert "gunicorn.conf.py is not used, and what it computes was not run: workers" in notes
    assert "gunicorn.conf.py is not used: its functions post_fork are not called" in notes
    assert not (tmp_path / "executed").exists()


CHANNELS = """
from django.conf import settings
settings.configure(SECRET_KEY="k", ROOT_URLCONF=__name__, STATIC_URL="/static/", STATIC_ROOT="collected",
                   MIDDLEWARE=[{}], INSTALLED_APPS=["channels"], ASGI_APPLICATION="shop.app")
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
urlpatterns = []
class ProtocolTypeRouter:
    async def __call__(self, scope, receive, send): ...
ProtocolTypeRouter.__module__ = "channels.routing"
app, inner, plain = ProtocolTypeRouter(), ASGIHandler, WSGIHandler()
"""
DJANGO_NOTED = """
from django.conf import settings
settings.configure(SECRET_KEY="k", ROOT_URLCONF=__name__)
from django.core.handlers.asgi import ASGIHandler
from django.urls import path
from portico import edge
@edge.internal
def job(request, number): ...
urlpatterns = [path("jobs/<int:number>", job, name="job")] * {}
app = ASGIHandler()
"""
WHITENOISE = "def middleware(get_response): return get_response\n"


def test_settings_beside_a_view_of_django_hold_under_asgi(ask: Ask) -> None:
    facts = ask(DJANGO_NOTED.format(1), "shop:app")
    assert (facts.kind, facts.router, facts.lost) == ("asgi", "django", {})
    assert [(route.endpoint, route.edge) for route in facts.routes] == [("job", {"internal": True})]
    unread = ask(DJANGO_NOTED.format(0), "shop:app")
    assert list(unread.lost.values()) == ["job"]


def test_the_static_files_of_channels_are_nginx_s(ask: Ask, tmp_path: Path) -> None:
    """Nothing answers them under ASGI; `runserver` alone does."""
    (tmp_path / "collected").mkdir()
    facts = ask(CHANNELS.format(""), "shop:app")
    assert (facts.kind, [folder.url for folder in facts.static]) == ("asgi", ["/static/"])
    assert facts.notes == []
    guarded = ask(CHANNELS.format('"whitenoise.middleware"'), "shop:app", **{"whitenoise.py": WHITENOISE})
    assert guarded.static == [], "WhiteNoise answers them with headers of its own"
    plain = ask(CHANNELS.format(""), "shop:plain")
    assert any("WebSockets of Channels are not answered" in note for note in plain.notes)


@pytest.mark.parametrize(("kind", "is_said"), [("gevent", True), ("gthread", False)])
def test_green_threads_of_a_gunicorn_conf_are_a_note(ask: Ask, kind: str, *, is_said: bool) -> None:
    notes = ask(
        "def app(environ, start_response): ...", **{"gunicorn.conf.py": f"worker_class = '{kind}'\n"}
    ).notes
    assert (
        any("in place of gevent's green threads, the workers have threads" in one for one in notes) is is_said
    )


GEVENT = """
patched = ()

def patch_all(thread=True, socket=True, select=True):
    global patched
    patched = [name for name, on in (("threading", thread), ("socket", socket), ("select", select)) if on]

def is_module_patched(name):
    return name in patched
"""
"""As gevent answers; it needs no package of C to ask it."""
PATCHED = "from gevent import monkey\n\nmonkey.patch_all({})\n{}def app{}: ...\n"
ASYNC_APP, APP = ("async ", "(scope, receive, send)"), ("", "(environ, start_response)")


@pytest.mark.parametrize(
    ("words", "app", "parts"),
    [
        ("", APP, "threading, select"),
        ("", ASYNC_APP, "threading, select, socket"),
        ("thread=False, select=False", ASYNC_APP, "socket"),
        ("thread=False, select=False", APP, ""),
    ],
    ids=["all", "asgi", "asgi-sockets", "sockets"],
)
def test_an_app_that_gevent_has_patched_is_refused(
    ask: Ask, tmp_path: Path, words: str, app: tuple[str, str], parts: str
) -> None:
    files = {"gevent/__init__.py": "", "gevent/monkey.py": GEVENT}
    code = PATCHED.format(words, *app)
    if not parts:
        assert ask(code, **files).kind == "wsgi"
        return
    with pytest.raises(UsageError) as raised:
        ask(code, **files)
    (problem,) = raised.value.problems
    assert problem.where == f"{tmp_path}/shop.py:3"
    assert problem.what == f"gevent has patched Python's {parts}; Portico's workers need Python's own"
    assert "remove monkey.patch_all(): " in problem.hint
    assert "[upstream] servers" in problem.hint
