"""What an app keeps in the memory of one process is found, and what does no harm is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from portico.plan.app_servers.workers import capacity
from portico.plan.decide import decided
from portico.plan.notes.app_risks import processes
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.workers import Workers
from portico.values import AppRef
from tests.plan.test_golden import PLACE
from tests.site.asked import discover
from tests.support import write_files

Ask = Callable[..., AppFacts]
FLASK = "from flask import Flask, request\napp = Flask(__name__)\n"
VIEW = "@app.post('/')\ndef view(): {}; return 'done'\n"
FOUND = (
    FLASK
    + """
from django.conf import settings  # wakes up when it is asked for its class
from flask.views import MethodView
import store
from store import ROOMS
A, B, C, D, E, F = {}, {"a": []}, {}, [1], [], []
up, on = 0, 0
class All: items = set()
def keep(): E.append(1)
@app.post("/")
def view():
    global up, on
    A["a"] = 1
    B["a"].append(1)
    C.setdefault(1, []).append(1)
    del D[0]
    up += 1
    on = on + 1
    All.items.add(1)
    keep()
    ROOMS[1] = 1
    store.keep(1)
def by_url(): F.append(1)
app.add_url_rule("/by-url", view_func=by_url)
TODOS = {"1": "write it down"}
class Todo(MethodView):
    def put(self, number): TODOS[number] = "x"
app.add_url_rule("/<number>", view_func=Todo.as_view("todo"))
"""
)
STORE = "ROOMS = {}\nLINES = []\ndef keep(line): LINES.append(line)\n"
HARMLESS = (
    FLASK
    + """
from flask import g
ROUTES, LOOKED, _cache, ITEMS, MORE, LINES, NUMBER, _db = {}, {}, {}, {}, {}, [], 7, None
def add(f):
    ROUTES[f.__name__] = f
    return f
@add
def one(): pass
@app.get("/made-once")
def made_once():
    if 1 not in LOOKED:
        LOOKED[1] = 2
    _cache[1] = LOOKED.get(1)
    return "done"
@app.get("/local")
def local():
    global _db
    _db = _db or object()
    ITEMS = {}
    ITEMS[1] = 1
    g.items = [NUMBER]
    g.items.append(1)
@app.get("/<MORE>")
def argument(MORE):
    MORE[1] = 1
@app.cli.command("fill")
def fill():
    LINES.append(1)
"""
)
DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="k", ROOT_URLCONF=__name__, {})
app = get_wsgi_application()
ITEMS = []
def add(request): ITEMS.append(request)
urlpatterns = []
"""
LOCMEM = "CACHES={'default': {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}}"


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def ask(code: str, **files: str) -> AppFacts:
        write_files(tmp_path, {"shop.py": code, **{f"{name}.py": text for name, text in files.items()}})
        return discover(AppRef.parse("shop:app"), tmp_path, timeout=60)

    return ask


def names(facts: AppFacts) -> list[str]:
    return [one.name for one in facts.risks if one.kind == "memory"]


def test_module_variables_that_requests_write_are_found(ask: Ask) -> None:
    writes = {
        "A": "A[", "B": "B[", "C": "C.", "D": "del D", "E": "def keep", "F": "def by_url", "up": "up +=", "on": "on =",
        "All.items": "All.items.add", "ROOMS": "ROOMS[", "TODOS": "def put",
    }  # fmt: skip
    lines = [line.strip() for line in FOUND.splitlines()]
    numbers = {
        name: next(n for n, line in enumerate(lines, 1) if line.startswith(text))
        for name, text in writes.items()
    }
    expected = {f"{name} (shop.py:{number})" for name, number in numbers.items()}
    assert set(names(ask(FOUND, store=STORE))) == expected | {"LINES (store.py:3)"}


def test_what_is_alike_in_every_worker_is_not(ask: Ask) -> None:
    assert names(ask(HARMLESS)) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("", []),
        (LOCMEM, ["the cache"]),
        (LOCMEM + ", SESSION_ENGINE='django.contrib.sessions.backends.cache'", ["sessions"]),
        ("CHANNEL_LAYERS={'default': {'BACKEND': 'channels.layers.InMemoryChannelLayer'}}", ["the channel layer"]),
    ],
    ids=["default", "cache", "sessions", "channels"],
)  # fmt: skip
def test_django_s_stores_in_memory_are_found(ask: Ask, settings: str, found: list[str]) -> None:
    assert names(ask(DJANGO.replace("{}", settings))) == [*found, "ITEMS (shop.py:7)"]


STORES = """
class MemoryStorage: ...
MemoryStorage.__module__ = "limits.storage.memory"
class Limiter:
    _storage = MemoryStorage()
Limiter.__module__ = "flask_limiter._extension"
class SimpleCache: ...
SimpleCache.__module__ = "flask_caching.backends.simplecache"
app.extensions["limiter"] = {Limiter()}
app.extensions["cache"] = {"one": SimpleCache()}
"""


def test_known_stores_in_memory_are_found(ask: Ask) -> None:
    assert names(ask(FLASK + STORES)) == ["the rate limiter's counts", "the cache"]


SOCKETIO = FLASK + "from flask_socketio import SocketIO\nsocketio = SocketIO(app, {})\n"
POLLS = "a client that polls must come back to it"
QUEUE = "client_manager=__import__('socketio').PubSubManager()"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", POLLS),
        (QUEUE, POLLS),
        ("transports=['websocket']", "no message queue"),
        (f"transports=['websocket'], {QUEUE}", ""),
    ],
    ids=["polling", "polling-with-a-queue", "websocket", "websocket-with-a-queue"],
)
def test_socket_io_says_whether_one_process_is_right(ask: Ask, words: str, why: str) -> None:
    facts = ask(SOCKETIO.format(words))
    assert why in facts.one_process
    assert bool(facts.one_process) == bool(why)
    route = next(one for one in facts.routes if one.endpoint == "socketio")
    assert route.edge == {"stream": True}, "a request that polls waits: it has a thread of its own"


def test_the_locks_of_wsgidav_are_in_one_process(ask: Ask) -> None:
    code = """
class LockStorageDict: ...
LockStorageDict.__module__ = "wsgidav.lock_man.lock_storage"
class Manager: storage = LockStorageDict()
class WsgiDAVApp:
    lock_manager = Manager()
    def __call__(self, environ, start_response): ...
WsgiDAVApp.__module__ = "wsgidav.wsgidav_app"
app = WsgiDAVApp()
"""
    assert ask(code).one_process == "WsgiDAV keeps its locks in the memory of one process"


def site(facts: AppFacts, count: int | None = None) -> Site:
    workers = Workers(count=count) if count else Workers()
    return Site(Options(workers=workers), facts, facts.directory, "shop")


def test_the_plan_has_one_worker_where_one_is_right_and_says_the_rest(ask: Ask) -> None:
    single, memory = ask(SOCKETIO.format("")), ask(FLASK + "ITEMS = {}\n" + VIEW.format("ITEMS[1] = 1"))
    sized = {
        name: capacity(one, PLACE)
        for name, one in {"auto": site(single), "four": site(single, 4), "memory": site(memory)}.items()
    }
    assert {name: size.workers for name, size in sized.items()} == {"auto": 1, "four": 4, "memory": 2}
    assert processes(decided(site(single), PLACE))[0].startswith("one worker, with threads: Flask-SocketIO")
    assert processes(decided(site(single, 4), PLACE))[0].startswith("4 workers, but one would be right: ")
    (said,) = processes(decided(site(memory), PLACE))
    assert said.startswith("each of the 2 workers has its own ITEMS (shop.py:5); --workers 1")
    assert processes(decided(site(memory, 1), PLACE)) == []
