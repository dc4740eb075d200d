"""Apps of four frameworks with rules made by chance, and what each of them answers to a path: status and Allow."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import asyncio
import contextlib
import io
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import flask
import msgspec

from portico.site.facts import AppFacts, Unrouted
from tests.routers import WORDS, _django, _facts, _wsgi

Answer = tuple[int, str]
"""The status, and the header Allow."""


@dataclass
class App:
    """One app: its facts, its rules in any spelling, and what it answers to a decoded path and a method."""

    facts: AppFacts
    rules: list[str]
    ask: Callable[[str, str], Answer]


def flask_app(dice: Random) -> App:
    app = flask.Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = dice.random() < 0.85
    kinds = [
        "<{}>", "<int:{}>", "<path:{}>", "<any(a,b):{}>", "<string(length=2):{}>", "a-<int:{}>", "<{}>.y", "<float:{}>",
        "<string(minlength=2,maxlength=3):{}>", "<int(signed=True):{}>", "<uuid:{}>", "<any('x.y','é'):{}>",
    ]  # fmt: skip
    for number in range(dice.randint(1, 8)):
        words = [
            dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{at}")
            for at in range(dice.randint(0, 3))
        ]
        rule = "/" + "/".join(words) + (dice.choice(["", "/"]) if words else "")
        methods = dice.choice([["GET"], ["POST"], ["GET", "POST"], ["PUT"], ["DELETE", "GET"]])
        more: dict[str, Any] = {"strict_slashes": False} if dice.random() < 0.3 else {}
        with contextlib.suppress(ValueError):
            app.add_url_rule(rule, f"view{number}", lambda **_: "here", methods=methods, **more)
    from portico.link.app.facts.flask import facts

    return App(_made(facts(app)), [rule.rule for rule in app.url_map.iter_rules()], _asks_wsgi(app))


def django_app(dice: Random) -> App:
    _django()
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import clear_url_caches, get_resolver, path, re_path

    from portico.link.app.facts.django import routes
    from portico.link.app.facts.django_unrouted import unrouted

    exact = ["<str:{}>", "<int:{}>", "<path:{}>", "<slug:{}>", "a-<int:{}>", "<uuid:{}>"]
    loose = [
        r"(?P<{}>\d+)", r"(?P<{}>[^/]+)", r"(?P<{}>.*)", r"(?P<{}>[\w-]+)", "(?:a|b)", r"(?P<{}>\d{{2}})", "(?i:ab)",
        r"(?P<{}>\w{{1,3}})", "é?",
    ]  # fmt: skip

    def words(kinds: list[str], depth: int, fixed: Callable[[str], str]) -> str:
        made = [
            fixed(dice.choice(WORDS)) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{depth}{at}")
            for at in range(dice.randint(0, 2))
        ]
        return "/".join(made) + (dice.choice(["", "/"]) if made else "")

    def entries(depth: int) -> Iterator[Any]:
        for _ in range(dice.randint(1, 4)):
            is_include = depth < 2 and dice.random() < 0.25
            text, make = words(exact, depth, str), path
            if dice.random() < 0.5:
                end = "" if is_include else dice.choice(["$", "$", "", r"\Z"])
                text, make = dice.choice(["^", "^", ""]) + words(loose, depth, re.escape) + end, re_path
            if is_include:
                yield make(text, (list(entries(depth + 1)), None, None))
            else:
                yield make(text, lambda *_, **__: HttpResponse("here"))

    module: Any = types.ModuleType("urls_by_chance")
    module.urlpatterns = list(entries(0))
    common = ["django.middleware.common.CommonMiddleware"]
    said = override_settings(
        ROOT_URLCONF=module.__name__, ALLOWED_HOSTS=["*"], APPEND_SLASH=dice.random() < 0.6, MIDDLEWARE=common
    )

    @contextlib.contextmanager
    def in_place() -> Iterator[None]:
        sys.modules[module.__name__] = module
        with said:
            clear_url_caches()
            yield
        clear_url_caches()

    with in_place():
        found = routes(get_resolver())
        told = {"kind": "django", "routes": found, "unrouted": unrouted(get_resolver(), found)}
        asks = _asks_wsgi(WSGIHandler())

    def ask(asked: str, method: str) -> Answer:
        with in_place():
            return asks(asked, method)

    return App(_made(told), [route["rule"] for route in found], ask)


def pyramid_app(dice: Random) -> App:
    from pyramid.config import Configurator
    from pyramid.response import Response

    from portico.link.app.facts.pyramid import facts

    config = Configurator()
    kinds = [
        "{{{}}}",
        r"{{{}:\d+}}",
        r"{{{}:.*}}",
        "{{{}:a|b}}",
        "a-{{{}}}",
        r"{{{}:\d{{2}}}}",
        r"{{{}:\w{{1,3}}}}",
    ]
    for number in range(dice.randint(1, 8)):
        words = [
            dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{at}")
            for at in range(dice.randint(0, 3))
        ]
        text = "/" + "/".join(words) + (dice.choice(["", "/", "*rest"]) if words else "")
        more: dict[str, Any] = (
            {"request_method": dice.choice(["GET", ("PUT", "POST")])} if dice.random() < 0.4 else {}
        )
        config.add_route(f"view{number}", text, **more)
        config.add_view(lambda *_: Response("here"), route_name=f"view{number}")
    if dice.random() < 0.4:
        from pyramid.httpexceptions import HTTPNotFound

        config.add_notfound_view(lambda *_: HTTPNotFound(), append_slash=True)
    router = config.make_wsgi_app()
    told = facts(router)
    return App(_made(told), [route["rule"] for route in told["routes"]], _asks_wsgi(router))


def starlette_app(dice: Random) -> App:
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Mount, Route

    from portico.link.app.facts.starlette_unrouted import unrouted

    async def view(_: Any) -> Response:
        return Response("here")

    kinds = ["{{{}}}", "{{{}:int}}", "{{{}:path}}", "{{{}:float}}", "{{{}:uuid}}", "a-{{{}}}"]

    def made(depth: int) -> Iterator[Any]:
        for _ in range(dice.randint(1, 6)):
            words = [
                dice.choice(WORDS) if dice.random() < 0.5 else dice.choice(kinds).format(f"v{depth}{at}")
                for at in range(dice.randint(0, 3))
            ]
            text = "/" + "/".join(words) + (dice.choice(["", "/"]) if words else "")
            if depth < 2 and dice.random() < 0.2 and not text.endswith("/"):
                yield Mount(text, routes=list(made(depth + 1)))
            else:
                yield Route(text, view, methods=dice.choice([["GET"], ["POST"], ["GET", "PUT"]]))

    app = Starlette(routes=list(made(0)))
    app.router.redirect_slashes = dice.random() < 0.7
    told = unrouted(app)

    def ask(asked: str, method: str) -> Answer:
        return asyncio.run(_asked_asgi(app, asked, method))

    return App(
        _made({"kind": "asgi", "routes": [], "unrouted": told}), [rule["rule"] for rule in told["rules"]], ask
    )


APPS: dict[str, Callable[[Random], App]] = {
    "flask": flask_app, "django": django_app, "pyramid": pyramid_app, "starlette": starlette_app,
}  # fmt: skip


def _made(told: dict[str, Any]) -> AppFacts:
    return msgspec.structs.replace(_facts(told), unrouted=msgspec.convert(told["unrouted"], Unrouted))


def _asks_wsgi(app: Any) -> Callable[[str, str], Answer]:
    def ask(path: str, method: str) -> Answer:
        said: list[Any] = []
        environ = {
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0),
            "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "HTTP_HOST": "a", "SERVER_NAME": "a", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "",
            "QUERY_STRING": "", "REQUEST_METHOD": method, "PATH_INFO": _wsgi(path),
        }  # fmt: skip
        answer = app(environ, lambda status, headers, _=None: said.extend([status, headers]))
        list(answer)
        if hasattr(answer, "close"):
            answer.close()
        return int(said[0][:3]), dict(said[1]).get("Allow", "")

    return ask


async def _asked_asgi(app: Any, path: str, method: str) -> Answer:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"a")], "client": ("192.0.2.1", 1), "server": ("a", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    headers = {name.decode().title(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], headers.get("Allow", "")
