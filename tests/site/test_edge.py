"""Routes with settings of their own: patterns, what the app notes beside its views, and [routes] over it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico import edge
from portico.errors import UsageError
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.model import Routed
from portico.site.options.edge import Edge
from portico.site.pattern import escape, head, is_fixed, pattern, rank
from portico.site.routed import routed
from portico.values import AppRef, Duration, Size
from tests.site.asked import discover

FLASK = "from flask import Flask\nfrom portico import edge\napp = Flask(__name__)\n"
Told = Callable[..., tuple[Routed, ...]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The routes of an app with this source, below a portico.toml."""

    def ask(source: str, toml: str = "") -> tuple[Routed, ...]:
        (tmp_path / "shop.py").write_text(source)
        (tmp_path / "portico.toml").write_text(toml)
        options, causes = load(tmp_path / "portico.toml", {})
        return routed(options, discover(AppRef.parse("shop:app"), tmp_path), causes)

    return ask


@pytest.mark.parametrize(
    ("rule", "regex", "begins"),
    [
        ("/a/b", "/a/b", "/a/b"),
        ("/a.b/<x>", r"/a\.b/(?:[^/]+)", "/a.b/"),
        ("/n-<int:n>.txt", r"/n-(?:\d+)\.txt", "/n-"),
        ("/<path:p>/end", "/(?:[^/].*?)/end", "/"),
        ("/<any(one, t.o):w>", r"/(?:one|t\.o)", "/"),
    ],
)
def test_rules_are_patterns(rule: str, regex: str, begins: str) -> None:
    assert (pattern(rule), head(pattern(rule))) == (regex, begins)
    assert is_fixed(pattern(rule)) == ("<" not in rule)


@pytest.mark.parametrize("rule", ["/<int:>", "/<colour:x>", "/<int(2):x>", "/a<b", "/<x>>"])
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(ValueError, match=" "):
        pattern(rule)


@given(st.text(st.characters(codec="utf-8", exclude_characters="<>"), min_size=1))
def test_fixed_text_matches_itself_alone(text: str) -> None:
    assert re.fullmatch(escape(text), text)
    assert (head(escape(text)), is_fixed(escape(text))) == (text, True)


@pytest.mark.parametrize(
    ("regex", "begins"),
    [
        ("/ab*c", "/a"),
        ("/ab?", "/a"),
        ("/ab{2}", "/a"),
        (r"/a\d", "/a"),
        (r"/a\.b[cd]", "/a.b"),
        ("/a|b", "/a"),
    ],
)
def test_what_every_match_begins_with(regex: str, begins: str) -> None:
    assert (head(regex), is_fixed(regex)) == (begins, False)


def test_rules_are_tried_as_werkzeug_tries_them() -> None:
    wanted = ["/a/b", "/a/x-<y>", "/a/<int:n>", "/a/<y>", "/a/<path:p>", "/<x>", "/<path:p>"]
    shuffled = [*wanted[3:], *wanted[:3]]
    assert sorted(shuffled, key=rank)[:3] == ["/a/b", "/a/<int:n>", "/a/x-<y>"]
    assert sorted(shuffled, key=rank)[3:] == wanted[3:]


def test_flask_views_say_what_they_want(told: Told) -> None:
    found = told(
        FLASK + "import functools\nfrom flask.views import MethodView\n"
        "def wrapped(view):\n    @functools.wraps(view)\n    def inner(n): return view(n)\n    return inner\n"
        "@app.post('/import/<int:n>')\n@wrapped\n@edge.timeout('5m')\n@edge.max_upload('2GiB')\ndef load(n): ...\n"
        "@app.get('/import/<int:n>')\ndef form(n): ...\n"
        "class Feed(MethodView):\n    @edge.stream\n    def get(self): ...\n"
        "app.add_url_rule('/feed', view_func=Feed.as_view('feed'))\n"
        "@edge.private\n@app.get('/me')\ndef me(): ...\n"
    )
    assert {item.rule: item.edge for item in found} == {
        "/import/<int:n>": Edge(timeout=Duration(300), max_upload=Size(2 << 30)),
        "/feed": Edge(stream=True),
        "/me": Edge(private=True),
    }
    places = {item.rule: item.causes for item in found}
    assert places["/me"] == {"private": "shop.py:21: @edge.private"}


def test_a_method_of_an_object_is_a_view_too(told: Told) -> None:
    source = "class Shop:\n    def view(self): return 'x'\napp.add_url_rule('/x', 'x', edge.private(Shop().view))\n"
    assert [(item.rule, item.edge.private) for item in told(FLASK + source)] == [("/x", True)]
    with pytest.raises(TypeError, match="no place for a note"):
        edge.private(len)


def test_the_file_wins_over_the_app_key_by_key(told: Told) -> None:
    source = FLASK + "@app.post('/import')\n@edge.timeout('5m')\n@edge.max_upload('2GiB')\ndef load(): ...\n"
    toml = '[routes."/import"]\ntimeout = "1m"\n[routes]\n"/api/<path:rest>" = { private = true }\n'
    mine, whole = told(source, toml)
    assert mine.edge == Edge(timeout=Duration(60), max_upload=Size(2 << 30))
    assert mine.causes["timeout"] == "portico.toml:2: routes./import.timeout"
    assert (whole.pattern, whole.edge) == ("/api/(?:[^/].*?)", Edge(private=True))


@pytest.mark.parametrize(
    ("source", "toml", "said"),
    [
        (
            "@app.get('/x')\n@edge.timeout('soon')\ndef x(): ...\n", "",
            "shop.py:4: @edge.timeout: 'soon' is not valid",
        ),
        ("@app.get('/x')\n@edge.timeout('2h')\ndef x(): ...\n", "", "shop.py:4: /x: timeout: 2h is out of range"),
        (
            "def lose(view): return lambda: view()\n@app.get('/x')\n@lose\n@edge.private\ndef x(): ...\n", "",
            "shop.py:5: portico.edge is used on x, which no route of the app reaches",
        ),
        (
            "@app.get('/x')\n@edge.timeout('2s')\ndef x(): ...\n@app.post('/x')\n@edge.timeout('3s')\ndef y(): ...\n",
            "", "shop.py:4: the views x and y share the route /x and differ in @edge.timeout",
        ),
        (
            "app.url_map.host_matching = True\napp.add_url_rule('/x', 'x', edge.private(lambda: 1), host='a.example')",
            "", "portico.edge is used on the route /x, which nginx cannot recognize by its path",
        ),
        ("", '[routes."x/<y>"]\nprivate = true', 'portico.toml:2: routes: "x/<y>" is not a rule'),
        ("", '[routes."/x"]\ntimeuot = "3s"', "portico.toml:2: routes./x.timeuot: unknown key"),
        ("", '[routes]\n"/x" = 3', "portico.toml:2: routes./x: is not a table"),
        ("", 'routes = 3', "portico.toml:1: routes: is not a table"),
        ("", '[routes."/x"]\nstream = "yes"', 'portico.toml:2: routes./x.stream: "yes" is not valid'),
        ("", '[routes."/x"]\nmax_upload = "0B"', "portico.toml:2: /x: max_upload: 0B is out of range"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_an_error(told: Told, source: str, toml: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        told(FLASK + source, toml)
    assert said in str(caught.value)


def test_pyramid_and_django_views_are_asked_too(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from pyramid.config import Configurator\nfrom portico import edge\n"
        "@edge.timeout('1m')\ndef item(request): ...\n"
        "class Views:\n    def __init__(self, request): ...\n    @edge.private\n    def me(self): ...\n"
        "config = Configurator()\nconfig.add_route('item', '/item/{n:\\\\d+}')\nconfig.add_route('me', '/me')\n"
        "config.add_view(item, route_name='item')\nconfig.add_view(Views, attr='me', route_name='me')\n"
        "app = config.make_wsgi_app()\n"
    )
    facts = discover(AppRef.parse("shop:app"), tmp_path)
    assert {(route.pattern, str(route.edge)) for route in facts.routes} == {
        (r"/item/(?:\d+)\n?", "{'timeout': '1m'}"),
        (r"/me\n?", "{'private': True}"),
    }
    assert facts.lost == {}


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (
            "async def app(scope, receive, send): ...",
            "shop.py:2: portico.edge is used on task, but the routes of this app could not be read",
        ),
        (
            "def app(environ, start_response): ...",
            "shop.py:2: portico.edge is used on task, but .* not Flask",
        ),
    ],
)
def test_a_note_on_a_view_of_an_app_that_is_not_asked_is_not_ignored(
    tmp_path: Path, app: str, said: str
) -> None:
    """It was, in silence: a view with @edge.internal was open."""
    (tmp_path / "shop.py").write_text(
        f"from portico import edge\n@edge.internal\ndef task(request): ...\n{app}\n"
    )
    options, causes = load(None, {})
    with pytest.raises(UsageError, match=said) as caught:
        routed(options, discover(AppRef.parse("shop:app"), tmp_path), causes)
    assert "[routes]" in str(caught.value)


def test_without_notes_there_are_no_routes() -> None:
    options, causes = load(None, {})
    assert routed(options, AppFacts(app="a:b", directory="/"), causes) == ()


PYRAMID = (
    "from pyramid.config import Configurator\nfrom portico import edge\n"
    "@edge.timeout('1m')\ndef first(request): ...\n@edge.timeout('2m')\ndef second(request): ...\n"
    "config = Configurator()\nconfig.add_route('item', '/item/:n*rest')\n"
)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            FLASK + "from flask.views import MethodView\nclass Both(MethodView):\n"
            "    @edge.timeout('1m')\n    def get(self): ...\n    @edge.timeout('2m')\n    def post(self): ...\n"
            "app.add_url_rule('/x', view_func=Both.as_view('both'))\n",
            "both has conflicting settings for the route /x: @edge.timeout differs",
        ),
        (
            PYRAMID + "config.add_view(first, route_name='item', request_method='GET')\n"
            "config.add_view(second, route_name='item', request_method='POST')\napp = config.make_wsgi_app()\n",
            "item has conflicting settings for the route /item/:n*rest: @edge.timeout differs",
        ),
        (
            PYRAMID + "config.add_view(first, route_name='item')\nconfig.add_view(second, name='other')\n"
            "app = config.make_wsgi_app()\n",
            "portico.edge is used on second, which no route of the app reaches",
        ),
        (
            FLASK + "@app.get('/a/<int:n>')\n@edge.timeout('1m')\ndef one(n): ...\n"
            "@app.post('/a/<path:rest>')\n@edge.timeout('2m')\ndef two(rest): ...\n",
            "/a/<int:n> and /a/<path:rest> share paths by method and differ in timeout",
        ),
        (
            FLASK + "view = edge.timeout('1m')(lambda **_: '')\nfor n in range(23):\n"
            "    app.add_url_rule(f'/<x>/get-{n}', f'g{n}', view, methods=['GET'])\n"
            "    app.add_url_rule(f'/post-{n}/<y>', f'p{n}', lambda y: '', methods=['POST'])\n",
            "more than 500 groups of routes share paths by method",
        ),
    ],
)
def test_two_views_of_one_path_that_want_two_things_are_said(told: Told, source: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        told(source)
    assert words in str(refused.value)


def test_a_class_whose_methods_want_different_settings_has_both(told: Told) -> None:
    (both,) = told(
        FLASK + "from flask.views import MethodView\nclass Both(MethodView):\n"
        "    @edge.timeout('1m')\n    def get(self): ...\n    @edge.max_upload('2MiB')\n    def post(self): ...\n"
        "app.add_url_rule('/x', view_func=Both.as_view('both'))\n"
    )
    assert (both.edge.timeout, both.edge.max_upload) == (60.0, 2 << 20)
