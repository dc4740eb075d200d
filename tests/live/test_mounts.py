"""Settings and static files follow an app that DispatcherMiddleware has put under a prefix."""

from __future__ import annotations

import pytest

from tests.support import Served, served

PREFIXED = """
from flask import Flask
from portico import edge
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

app = Flask(__name__)

@app.get("/me/<int:n>")
@edge.private
def me(n):
    return "private"

@app.get("/open")
def open_():
    return "open"

app.wsgi_app = DispatcherMiddleware(NotFound(), {"/prefix": app.wsgi_app})
"""
SEVERAL = """
from flask import Flask
from portico import edge
from werkzeug.middleware.dispatcher import DispatcherMiddleware

front, api = Flask("front", static_folder=None), Flask("api", static_folder=None)

@front.get("/<path:rest>")
@edge.private
def page(rest):
    return "private page"

@front.get("/api/old")
@edge.private
def never(): ...

@api.get("/<int:n>")
def number(n):
    return "number"

@api.get("/old")
def old():
    return "old"

@api.get("/me")
@edge.private
def mine():
    return "private mine"

app = DispatcherMiddleware(front, {"/api": api})
"""


def _is_private(run: Served, path: str) -> bool:
    answer = run.get(path)
    assert answer.status_code == 200, path
    is_private: bool = answer.headers.get("Cache-Control") == "private, no-store"
    assert is_private == answer.text.startswith("private"), (path, answer.text)
    return is_private


@pytest.mark.parametrize("build", ["embedded", "system"])
def test_settings_are_not_lost_under_the_prefix_of_the_recipe(build: str) -> None:
    with served({"app.py": PREFIXED, "static/a.css": "a"}, "--nginx", build) as run:
        assert _is_private(run, "/prefix/me/5")
        assert not _is_private(run, "/prefix/open")
        assert run.get("/me/5").status_code == 404
        assert "Cache-Control" not in run.get("/me/5").headers
        assert run.get("/prefix/static/a.css").headers["X-Content-Type-Options"] == "nosniff"


def test_each_of_several_apps_has_its_settings_under_its_prefix() -> None:
    with served({"app.py": SEVERAL, "portico.toml": 'app = "app:app"'}) as run:
        assert [_is_private(run, path) for path in ("/x/y", "/api/me", "/api/5", "/api/old", "/apis")] == [
            True, True, False, False, True,
        ]  # fmt: skip
