"""What a Starlette or FastAPI app is asked for: its folders of files, and its routes with their settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.routed import routed
from portico.values import AppRef
from tests.site.asked import discover

BEGIN = """
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from portico import edge
app = FastAPI()
files = StaticFiles(directory="files")
"""
MOUNTED = BEGIN + "app.mount('/static', files)\n"
HOOK = MOUNTED + "@app.middleware('http')\nasync def hook(request, call_next):\n    "
Ask = Callable[[str], AppFacts]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    (tmp_path / "files" / "deep").mkdir(parents=True)
    for name in ("app.css", "deep/app.js", "deep/report.pdf"):
        (tmp_path / "files" / name).write_text(name)

    def ask(code: str) -> AppFacts:
        (tmp_path / "shop.py").write_text(code)
        return discover(AppRef.parse("shop:app"), tmp_path, timeout=60)

    return ask


@pytest.mark.parametrize(
    ("code", "is_asked", "headers"),
    [
        (MOUNTED, False, ()),
        (MOUNTED + "@app.get('/{path:path}')\ndef page(path): ...\n", False, ()),
        (BEGIN + "app.mount('/static/', files)\n", False, ()),
        (BEGIN + "app.router.routes.append(Mount('/static', files, name='x'))\n", False, ()),
        (BEGIN + "app.router.routes.append(Mount('', Router([Mount('/static', files)])))\n", False, ()),
        (HOOK + "return await call_next(request)", True, ()),
        (
            HOOK + "answer = await call_next(request)\n    answer.headers['X-Shop'] = '1'\n    return answer",
            True,
            (("x-shop", "1"),),
        ),
        (MOUNTED + "app.add_middleware(GZipMiddleware, minimum_size=1)\n", True, ()),
        (
            MOUNTED + "app.add_middleware(CORSMiddleware, allow_origins=['*'])\n",
            True,
            (("Vary", "Origin"), ("access-control-allow-origin", "*")),
        ),
        (BEGIN + "app.mount('', Starlette(routes=[Mount('/static', files)]))\n", True, ()),
        (BEGIN + "class Own(FastAPI): ...\napp = Own()\napp.mount('/static', files)\n", True, ()),
        (MOUNTED + "class Wrapped:\n    def __init__(self, app): self.app = app\n"
         "    async def __call__(self, *words): await self.app(*words)\napp = Wrapped(app)\n", True, ()),
    ],
    ids=["plain", "early", "slash", "route", "router", "hook", "header", "gzip", "cors", "app", "class", "wrapped"],
)  # fmt: skip
def test_nginx_sends_the_files_that_a_stranger_gets(
    ask: Ask, tmp_path: Path, code: str, is_asked: bool, headers: tuple[tuple[str, str], ...]
) -> None:
    (found,) = ask(code).static
    assert (found.url, found.folder) == ("/static/", str(tmp_path / "files"))
    assert (found.is_asked, found.headers) == (is_asked, headers)


DENIED = "the app answers 403 to an anonymous client that requests /static/"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (HOOK + "return PlainTextResponse('no', 403)", DENIED + "app.css"),
        (
            HOOK + "if request.url.path.endswith('.pdf'): return PlainTextResponse('no', 403)\n"
            "    return await call_next(request)",
            DENIED + "deep/report.pdf",
        ),
        (HOOK + "1/0", "the app answers 500 to an anonymous client that requests /static/app.css"),
        (HOOK + "return PlainTextResponse('other')", "the app answers /static/app.css with other bytes than"),
        (HOOK + "request.headers.get('origin')\n    return await call_next(request)", "depend on the Origin"),
        (MOUNTED + "app.add_middleware(CORSMiddleware, allow_origins=['https://a.example'])\n", "depend on the Origin"),
        (
            MOUNTED + "class Own:\n    def __init__(self, app): self.app = app\n"
            "    async def __call__(self, scope, receive, send):\n"
            "        dict(scope.get('headers', ())).get(b'origin', b'').endswith(b'.a.example')\n"
            "        await self.app(scope, receive, send)\n"
            "app.add_middleware(Own)\n",
            "depend on the Origin",
        ),
        (
            BEGIN + "class Own(StaticFiles): ...\napp.mount('/static', Own(directory='files'))\n",
            "its class Own is not Starlette's own",
        ),
        (
            BEGIN + "async def own(path, scope): ...\nfiles.get_response = own\napp.mount('/static', files)\n",
            "its class StaticFiles is not Starlette's own",
        ),
        (BEGIN + "app.mount('/static', StaticFiles(directory='files', html=True))\n", "html=True"),
        (
            BEGIN + "app.mount('/{tenant}', FastAPI(openapi_url=None))\napp.mount('/static', files)\n",
            "the app mounted at /{tenant} comes before it",
        ),
        (
            BEGIN + "app.mount('/static/deep', FastAPI(openapi_url=None))\napp.mount('/static', files)\n",
            "the app mounted at /static/deep comes before it",
        ),
        (
            BEGIN + "deep = Mount('/static/deep', FastAPI(openapi_url=None))\n"
            "app.mount('', Router([deep, Mount('/static', files)]))\n",
            "the app mounted at /static/deep comes before it",
        ),
        (
            BEGIN + "app.router.routes.append(Mount('/static', Router([])))\napp.mount('/static', files)\n",
            "the app mounted at /static comes before it",
        ),
        (
            BEGIN + "class Own(Mount):\n    async def handle(self, scope, receive, send):\n"
            "        await PlainTextResponse('no', 403)(scope, receive, send)\n"
            "app.router.routes.append(Own('/static', files))\n",
            "its mount, of the class Own",
        ),
        (
            BEGIN + "made = Mount('/static', files)\nmade.handle = PlainTextResponse('no', 403)\n"
            "app.router.routes.append(made)\n",
            "its mount, of the class Mount",
        ),
        (
            BEGIN + "async def own(self, path, scope): return PlainTextResponse('no', 403)\n"
            "StaticFiles.get_response = own\napp.mount('/static', files)\n",
            "its class StaticFiles is not Starlette's own",
        ),
        (
            MOUNTED + "async def own(scope, receive, send): await PlainTextResponse('no', 403)(scope, receive, send)\n"
            "app.middleware_stack = own\n",
            DENIED + "app.css",
        ),
        (
            "from contextlib import asynccontextmanager\n" + MOUNTED + "app.state.keys = None\n"
            "@asynccontextmanager\nasync def lifespan(app):\n    app.state.keys = {'key'}\n    yield\n"
            "app.router.lifespan_context = lifespan\n"
            "@app.middleware('http')\nasync def guard(request, call_next):\n"
            "    keys = app.state.keys\n"
            "    if keys and request.headers.get('x-key') not in keys: return PlainTextResponse('no', 403)\n"
            "    return await call_next(request)\n",
            "may wait for what its lifespan prepares",
        ),
        (BEGIN + "app.mount('/static', StaticFiles(directory='files', follow_symlink=True))\n", "symbolic links"),
        (
            MOUNTED + "class Guard:\n    def __init__(self, app): ...\n"
            "    async def __call__(self, scope, receive, send):\n"
            "        await PlainTextResponse('no', 403)(scope, receive, send)\n"
            "app.router = Router(app.router.routes, middleware=[Middleware(Guard)])\n",
            DENIED + "app.css",
        ),
        (
            BEGIN + "@app.get('/{path:path}')\ndef page(path): ...\napp.mount('/static', files)\n",
            "the route /{path:path} comes before it",
        ),
        (
            BEGIN + "@app.get('/static/{path:path}')\ndef page(path): ...\napp.mount('/static', files)\n",
            "the route /static/{path:path} comes before it",
        ),
        (
            BEGIN + "async def page(request): ...\n"
            "app.mount('', Router([Route('/static/app.css', page), Mount('/static', files)]))\n",
            "the route /static/app.css comes before it",
        ),
        (
            BEGIN + "app.mount('/static', FastAPI())\napp.mount('/static/inner', files)\n",
            "the app mounted at /static comes before it",
        ),
        (
            BEGIN + "app.router.routes.append(Host('a.example', app=FastAPI()))\napp.mount('/static', files)\n",
            "a route of the class Host comes before it",
        ),
        (
            BEGIN + "class Guard:\n    def __init__(self, app): self.app = app\n"
            "    async def __call__(self, scope, receive, send):\n"
            "        await PlainTextResponse('no', 403)(scope, receive, send)\n"
            "app.router.routes.append(Mount('/static', files, middleware=[Middleware(Guard)]))\n",
            DENIED + "app.css",
        ),
    ],
)  # fmt: skip
def test_the_app_keeps_files_that_it_may_protect(ask: Ask, code: str, why: str) -> None:
    facts = ask(code)
    assert facts.static == []
    (left,) = facts.left
    assert why in left.why
    assert facts.never_kept


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ("files.all_directories = ['none']\napp.mount('/static', files)", "or of several folders"),
        ("app.mount('/', files)", "StaticFiles of the app at /: left to the app: its URL is the whole site (/)"),
        ("app.mount('/{shop}/static', files)", "its URL is a pattern"),
        ("app.mount('/static', StaticFiles(packages=[('fastapi', '.')]))", "its files are those of packages"),
        ("app.mount('/static', StaticFiles(directory='none', check_dir=False))", "its folder does not exist: none"),
    ],
)  # fmt: skip
def test_what_nginx_cannot_send_is_said(ask: Ask, mount: str, said: str) -> None:
    facts = ask(f"{BEGIN}{mount}\n")
    assert (facts.static, facts.left) == ([], [])
    assert said in " ".join(facts.notes)


NOTED = (
    BEGIN
    + """
inner = APIRouter()
@inner.post("/import/{number:int}")
@edge.timeout("5m")
async def imported(number: int): ...
app.include_router(inner, prefix="/v1")
@app.get("/me")
@edge.private
def me(): ...
@app.websocket("/live")
@edge.timeout("9m")
async def live(socket): ...
"""
)


def test_settings_beside_a_view_are_those_of_its_route(ask: Ask) -> None:
    facts = ask(NOTED)
    found = {
        (route.rule, route.pattern, tuple(route.methods), str(route.edge))
        for route in facts.routes
        if route.edge
    }
    assert found == {
        ("/v1/import/{number:int}", r"/v1/import/(?:[0-9]+)\n?", ("POST",), "{'timeout': '5m'}"),
        ("/me", r"/me\n?", ("GET",), "{'private': True}"),
        ("/live", r"/live\n?", (), "{'timeout': '9m'}"),
    }
    assert {route.where.partition(":")[0] for route in facts.routes if route.edge} == {"shop.py"}
    assert (facts.kind, facts.framework, facts.lost) == ("asgi", "starlette", {})
    options, causes = load(None, {})
    assert {item.rule for item in routed(options, facts, causes)} == {
        "/v1/import/{number:int}",
        "/me",
        "/live",
    }


def test_the_prefix_of_a_router_is_a_part_of_each_rule(ask: Ask) -> None:
    """A path of the router alone that begins with a colon was taken for the port of a host."""
    code = (
        "inner = APIRouter()\n@inner.get(':export')\n@edge.internal\ndef export(): ...\n"
        "app.include_router(inner, prefix='/v1/{shop}/jobs')\n"
    )
    assert [one.pattern for one in ask(BEGIN + code).routes if one.edge] == [r"/v1/(?:[^/]+)/jobs:export\n?"]


def test_routes_of_other_paths_share_none(ask: Ask) -> None:
    code = "".join(f"@app.get('/p{n}')\ndef p{n}(): ...\n" for n in range(30))
    facts = ask(BEGIN + code + "@app.post('/up')\n@edge.max_upload('1GiB')\ndef up(): ...\n")
    options, causes = load(None, {})
    assert [item.rule for item in routed(options, facts, causes)] == ["/up"]


def test_a_rule_of_portico_toml_is_written_as_the_app_has_it_or_as_flask_would(
    ask: Ask, tmp_path: Path
) -> None:
    facts = ask(NOTED)
    for rule in ("/v1/import/{number:int}", "/v1/import/<int:number>"):
        (tmp_path / "portico.toml").write_text(f'app = "shop:app"\n[routes."{rule}"]\ntimeout = "7m"\n')
        options, causes = load(tmp_path / "portico.toml", {})
        (item,) = (one for one in routed(options, facts, causes) if one.rule.startswith("/v1"))
        assert str(item.edge.timeout) == "7m"


@pytest.mark.parametrize(
    "mount",
    [
        "app.mount('/jobs', Starlette(routes=[Route('/task', task)]))",
        "app.router.routes.append(Mount('/jobs', Router([Route('/task', task)])))",
        "",
    ],
)
def test_a_view_with_settings_that_the_app_s_own_routes_do_not_reach_is_an_error(
    ask: Ask, mount: str
) -> None:
    """It would be open: a view with @edge.internal."""
    facts = ask(f"{BEGIN}@edge.internal\nasync def task(request): ...\n{mount}\n")
    options, causes = load(None, {})
    with pytest.raises(
        UsageError, match=r"shop.py:13: portico.edge is used on task, .* no route of the app itself"
    ):
        routed(options, facts, causes)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            (
                "@app.get('/{path:path}')\ndef page(path): ...\n"
                "@app.websocket('/live/{room}')\n@edge.internal\nasync def live(socket): ...\n"
            ),
            "the WebSocket /live/{room} shares paths with the route /{path:path}",
        ),
        (
            (
                "@app.websocket('/live/{room}')\n@edge.timeout('9m')\nasync def live(socket): ...\n"
                "@app.get('/{path:path}')\n@edge.internal\ndef page(path): ...\n"
            ),
            "the WebSocket /live/{room} shares paths with the route /{path:path}",
        ),
        (
            (
                "import re\n@app.get('/jobs')\n@edge.internal\ndef jobs(): ...\n"
                "for one in app.router.routes: one.path_regex = re.compile(one.path_regex.pattern, re.IGNORECASE)\n"
            ),
            "the route /jobs, which nginx cannot recognize by its path",
        ),
        (
            (
                "class Own(Route):\n    def matches(self, scope): return super().matches({**scope, 'path': '/jobs'})\n"
                "@edge.internal\ndef jobs(request): ...\napp.router.routes.append(Own('/jobs', jobs))\n"
            ),
            "the route /jobs, which nginx cannot recognize by its path",
        ),
        (
            "app = FastAPI(root_path='/api')\n@app.get('/jobs')\n@edge.internal\ndef jobs(): ...\n",
            "portico.edge is used on jobs",
        ),
        (
            (
                "@app.get('/jobs')\n@edge.internal\ndef jobs(): ...\n"
                "class Own:\n    def __init__(self, inner): self.inner = inner\n"
                "    async def __call__(self, *words): await self.inner(*words)\napp.router = Own(app.router)\n"
            ),
            "portico.edge is used on jobs",
        ),
    ],
)
def test_settings_that_would_not_hold_are_an_error(ask: Ask, code: str, said: str) -> None:
    facts = ask(BEGIN + code)
    options, causes = load(None, {})
    with pytest.raises(UsageError) as caught:
        routed(options, facts, causes)
    assert said in str(caught.value)


def test_a_view_of_head_or_of_a_websocket_hides_none_of_http_and_the_other_way_round(ask: Ask) -> None:
    """Their settings were dropped."""
    code = (
        "@app.head('/x')\ndef head(): ...\n@app.get('/x')\n@edge.internal\ndef get(): ...\n"
        "async def page(request): ...\napp.router.routes.append(Route('/live', page, methods=None))\n"
        "@app.websocket('/live')\n@edge.internal\nasync def live(socket): ...\n"
    )
    facts = ask(BEGIN + code)
    options, causes = load(None, {})
    assert {item.rule for item in routed(options, facts, causes)} == {"/x", "/live"}


def test_middleware_that_may_change_paths_is_said_where_views_have_settings(ask: Ask) -> None:
    hook = "@app.middleware('http')\nasync def hook(request, call_next): return await call_next(request)\n"
    noted = "@app.get('/jobs')\n@edge.internal\ndef jobs(): ...\n"
    assert "the middleware hook: where it changes the path" in " ".join(ask(BEGIN + hook + noted).notes)
    assert ask(BEGIN + hook).notes == []
