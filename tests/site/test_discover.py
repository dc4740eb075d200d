"""What the app is asked, in a real child process, and every error a newcomer meets with its exact text."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from portico.errors import ImportFailedError, PorticoError, UsageError
from portico.site.discover import start_discovery
from portico.site.facts import AppFacts, LeftFolder, Route, StaticFolder
from portico.values import AppRef
from tests.site.asked import discover
from tests.support.process import running

GOLDEN = Path(__file__).parents[1] / "golden" / "discover"
RULE = "-" * 80
FLASK = "from flask import Flask, Blueprint\n"

DJANGO_ASGI = """
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
settings.configure()
app = ASGIHandler()
"""

Ask = Callable[..., AppFacts]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLASK_APP", "DJANGO_SETTINGS_MODULE", "FLASK_RUN_FROM_CLI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def ask(code: str, reference: str = "shop", timeout: float = 30) -> AppFacts:
        (tmp_path / "shop.py").write_text(code)
        return discover(AppRef.parse(reference), tmp_path, timeout=timeout)

    return ask


# -- which object is the app -------------------------------------------------------------------------------

DOOR = """
class Door:
    def __init__(self, app): self.app = app
    def __call__(self, environ, start_response): ...
"""
WSGI = "def {}(environ, start_response): ...\n"


@pytest.mark.parametrize(
    ("code", "reference", "app"),
    [
        (FLASK + "app = Flask('x')", "shop", "shop:app"),
        (FLASK + "application = Flask('x')", "shop", "shop:application"),
        (FLASK + "site = Flask('x')", "shop", "shop:site"),
        (FLASK + "site = also = Flask('x')", "shop", "shop:site"),
        (FLASK + "app = Flask('x'); other = Flask('y')", "shop", "shop:app"),
        (FLASK + "import os as app\nsite = Flask('x')", "shop", "shop:site"),
        (DOOR + FLASK + "site = Flask('x'); app = Door(site)", "shop", "shop:app"),
        (DOOR + FLASK + "site = Flask('x'); app = Door(site.wsgi_app)", "shop", "shop:app"),
        (DOOR + FLASK + "site = Flask('x'); app = Door(len)", "shop", "shop:site"),
        (FLASK + "def create_app(): return Flask('x')", "shop", "shop:create_app()"),
        (FLASK + "def make_app(debug=False): return Flask('x')", "shop", "shop:make_app()"),
        (FLASK + "def create_app(): return Flask('x')", "shop:create_app", "shop:create_app()"),
        (FLASK + "def build(n, *, k): return Flask(n)", "shop:build('x', k=[1])", "shop:build('x', k=[1])"),
        (FLASK + "app = Flask('x').wsgi_app", "shop", "shop:app"),
        (FLASK + "class Shop(Flask): pass\nsite = Shop('x')", "shop.py", "shop:site"),
        (WSGI.format("app"), "shop", "shop:app"),
        (WSGI.format("serve"), "shop:serve", "shop:serve"),
        (WSGI.format("app") + "def create_app(): 1/0", "shop", "shop:app"),
        ("class Shop:\n  def __call__(self, environ, start_response): ...\napp = Shop()", "shop", "shop:app"),
        ("class Shop:\n  def __call__(self, environ, start_response): ...", "shop:Shop", "shop:Shop()"),
        ("async def app(scope, receive, send): ...", "shop", "shop:app"),
    ],
)
def test_the_app_is_found_in_its_module(ask: Ask, code: str, reference: str, app: str) -> None:
    assert ask(code, reference).app == app


@pytest.mark.parametrize(
    "code",
    [
        "async def app(scope, receive, send): ...",
        "class Shop:\n  async def __call__(self, scope, receive, send): ...\napp = Shop()",
        DJANGO_ASGI,
    ],
)
def test_an_asgi_app_is_recognised(ask: Ask, code: str) -> None:
    assert ask(code).kind == "asgi"


def test_a_plain_callable_says_little_and_the_note_says_so(ask: Ask, tmp_path: Path) -> None:
    note = (
        "a plain WSGI app cannot be asked for its static folders and its upload limit: "
        "say them as [static] and max_upload in portico.toml"
    )
    assert ask(WSGI.format("app")) == AppFacts("shop:app", str(tmp_path), "wsgi", notes=[note])


@pytest.mark.parametrize("reference", ["shop:site", "shop:create_app", "shop:create_app('x', debug=True)"])
def test_gunicorn_takes_what_was_found(ask: Ask, tmp_path: Path, reference: str) -> None:
    code = FLASK + "site = Flask('x')\ndef create_app(name='x', *, debug=False): return Flask(name)\n"
    argv = [
        sys.executable,
        "-c",
        f"from gunicorn.util import import_app; import_app({ask(code, reference).app!r})",
    ]
    subprocess.run(argv, cwd=tmp_path, check=True, timeout=60)


# -- Flask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reference", "command"),
    [
        ("app = Flask('x')\napp.cli.command('init-db')(print)", "shop", "flask --app shop init-db"),
        ("def create_app():\n  app = Flask('x')\n  app.cli.command('create_db')(print)\n  return app", "shop",
         "flask --app shop create_db"),
        ("site = Flask('x')\nsite.cli.group('db')(print)\nsite.cli.command('init-db')(print)", "shop:site",
         "flask --app shop:site db upgrade"),
        ("app = Flask('x')\napp.cli.command('import-db-dump')(print)", "shop", ""),
    ],
)  # fmt: skip
def test_the_command_that_makes_the_database_is_known(
    ask: Ask, code: str, reference: str, command: str
) -> None:
    assert ask(FLASK + code, reference).remedy == command


def test_flask_tells_everything(ask: Ask, tmp_path: Path) -> None:
    for folder in ("static", "admin/files"):
        (tmp_path / folder).mkdir(parents=True)
    facts = ask(
        FLASK + "app = Flask(__name__, static_url_path='/assets')\n"
        "app.config.update(MAX_CONTENT_LENGTH=5)\n"
        "inner = Blueprint('inner', __name__, static_folder='admin/files', url_prefix='/inner')\n"
        "admin = Blueprint('admin', __name__, static_folder='admin/files', static_url_path='/st')\n"
        "admin.register_blueprint(inner)\n"
        "app.register_blueprint(admin, url_prefix='/admin')\n"
        "@app.route('/save', methods=['POST', 'PUT'])\ndef save(): ...\n"
        "@app.route('/item/<int:n>')\ndef item(n): ...\n"
        "@app.route('/cors', methods=['OPTIONS'])\ndef cors(): ...\n"
        "app.add_url_rule('/ws', endpoint='ws', websocket=True)\n"
    )
    files = str(tmp_path / "admin/files")
    assert facts.static == [
        StaticFolder("/admin/inner/files/", files, "static folder of blueprint 'admin.inner'"),
        StaticFolder("/admin/st/", files, "static folder of blueprint 'admin'"),
        StaticFolder("/assets/", str(tmp_path / "static"), "the app's static folder"),
    ]
    assert (facts.kind, facts.max_content_length) == ("flask", 5)
    assert facts.version.split(".")[0].isdigit()
    assert facts.notes == []
    assert [plain(route) for route in facts.routes if "filename" not in route.rule] == [
        Route("/cors", ["OPTIONS"], "cors"),
        Route("/item/<int:n>", ["GET"], "item"),
        Route("/save", ["POST", "PUT"], "save"),
        Route("/ws", ["GET"], "ws", websocket=True),
    ]


def plain(route: Route) -> Route:
    """A route without what tests/site/test_edge.py looks at."""
    return msgspec.structs.replace(route, pattern="", rank=0)


APP = "the app's static folder"
OF_A = "static folder of blueprint 'a'"
LEFT = "is left to the app:"
OWN_VIEW = "its view is not Flask's own and may decide who sees a file"
GUARDED = """
import functools
app = Flask(__name__, static_folder="here")
view = app.view_functions["static"]
app.view_functions["static"] = functools.wraps(view)(lambda **words: view(**words))
"""
OVERRIDDEN = """
class Shop(Flask):
    def send_static_file(self, filename): return "no"

app = Shop(__name__, static_folder="here")
"""


def blueprint(words: str, app: str = "Flask(__name__)") -> str:
    return f"app = {app}\napp.register_blueprint(Blueprint('a', __name__, {words}))"


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("app = Flask(__name__)", ""),
        ("app = Flask(__name__, static_folder=None)", ""),
        ("app = Flask(__name__, static_folder='assets')", f"{APP} does not exist: $DIR/assets"),
        (blueprint("static_folder='no', url_prefix='/a'"), f"{OF_A} does not exist: $DIR/no"),
        (
            "app = Flask(__name__, static_url_path='', static_folder='here')",
            f"{APP} {LEFT} its URL is the whole site (/), and the app's own pages come first",
        ),
        (
            "app = Flask(__name__, host_matching=True, static_host='cdn.example', static_folder='here')",
            f"{APP} {LEFT} it answers on one host only (cdn.example)",
        ),
        (
            blueprint("static_folder='here', subdomain='img'", "Flask(__name__, subdomain_matching=True)"),
            f"{OF_A} {LEFT} it answers on one host only (img)",
        ),
        (
            blueprint("static_folder='here', url_prefix='/<lang>'"),
            f"{OF_A} {LEFT} its URL is a pattern (/<lang>/here/<path:filename>)",
        ),
        (
            "app = Flask(__name__)\napp.run()",
            "app.run() is called at import and ignored: put it under: if __name__ == '__main__'",
        ),
    ],
)
def test_what_nginx_must_not_serve_is_noted(ask: Ask, tmp_path: Path, code: str, note: str) -> None:
    (tmp_path / "here").mkdir()
    facts = ask(FLASK + code)
    assert facts.static == []
    assert facts.notes == ([note.replace("$DIR", str(tmp_path))] if note else [])


@pytest.mark.parametrize("code", [GUARDED, OVERRIDDEN])
def test_a_view_of_the_app_s_own_keeps_its_files(ask: Ask, tmp_path: Path, code: str) -> None:
    (tmp_path / "here").mkdir()
    facts = ask(FLASK + code)
    assert facts.static == []
    assert facts.left == [LeftFolder("/here/", str(tmp_path / "here"), APP, OWN_VIEW)]


PROXY_FIX = """
from werkzeug.middleware.proxy_fix import ProxyFix
app = ProxyFix(site)
"""
DISPATCHER = """
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
app = DispatcherMiddleware(ProxyFix(site), {"/api": site})
"""
OWN = """
class Own:
    def __init__(self, inner): self.application = inner
    def __call__(self, environ, start_response): ...

app = Own(site.wsgi_app)
"""


@pytest.mark.parametrize(
    ("wrapped", "name"), [(PROXY_FIX, "ProxyFix"), (DISPATCHER, "DispatcherMiddleware"), (OWN, "Own")]
)
def test_the_framework_is_found_inside_its_middleware(ask: Ask, wrapped: str, name: str) -> None:
    facts = ask(
        FLASK + "site = Flask(__name__)\nsite.config['MAX_CONTENT_LENGTH'] = 7\n" + wrapped, "shop:app"
    )
    assert (facts.kind, facts.max_content_length) == ("flask", 7)
    is_read = name == "DispatcherMiddleware"
    assert facts.notes == (
        [] if is_read else [f"the app is wrapped in {name}: what that adds or mounts was not asked"]
    )


OWN_PREFIX = """
from portico import edge

class Prefix:
    def __init__(self, app): self.app = app
    def __call__(self, environ, start_response): ...

app = Flask(__name__)

@app.get("/x")
MARK
def x(): ...

app.wsgi_app = Prefix(app.wsgi_app)
"""


def test_a_wrapper_that_may_take_a_prefix_away_is_said_where_settings_depend_on_it(ask: Ask) -> None:
    (note,) = ask(FLASK + OWN_PREFIX.replace("MARK", "@edge.private")).notes
    assert note.startswith("wsgi_app is wrapped in Prefix: ")


def test_middleware_put_into_the_flask_app_changes_nothing(ask: Ask) -> None:
    facts = ask(
        FLASK + "from werkzeug.middleware.proxy_fix import ProxyFix\n"
        "app = Flask(__name__)\napp.wsgi_app = ProxyFix(app.wsgi_app)"
    )
    assert (facts.kind, facts.notes) == ("flask", [])


def test_flask_sock_routes_are_websockets(ask: Ask) -> None:
    facts = ask(
        FLASK + "from flask_sock import Sock\napp = Flask(__name__)\nsock = Sock(app)\n"
        "@sock.route('/echo')\ndef echo(ws): ...\n"
    )
    assert Route("/echo", ["GET"], "echo", websocket=True) in map(plain, facts.routes)


def test_an_app_that_cannot_be_asked_is_still_served(ask: Ask) -> None:
    facts = ask(FLASK + "app = Flask(__name__)\napp.config = None")
    assert facts.kind == "flask"
    assert facts.notes == [
        "the app could not be asked: AttributeError: 'NoneType' object has no attribute 'get'"
    ]


# -- Django and Pyramid ------------------------------------------------------------------------------------

URLS = """
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.views import View

class Item(View):
    def get(self, request, n): ...
    def post(self, request, n): ...

def home(request): return HttpResponse("x")

inner = ([path("item/<int:n>/", Item.as_view(), name="item")], "shop")
urlpatterns = [path("", home), path("shop/", include(inner)), re_path(r"^old/(\\d+)$", home, name="old")]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    command = [sys.executable, "-m", "django", "startproject", "proj", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    (tmp_path / "proj/urls.py").write_text(URLS)
    return tmp_path


def test_a_django_project_is_found_and_asked(project: Path) -> None:
    (project / "collected").mkdir()
    with (project / "proj/settings.py").open("a") as settings:
        settings.write(
            "STATIC_ROOT = BASE_DIR / 'collected'\nMEDIA_URL = '/media/'\nMEDIA_ROOT = '/srv/media'\n"
        )
    facts = discover(None, project)
    assert (facts.app, facts.directory, facts.kind) == ("proj.wsgi:application", str(project), "django")
    assert facts.static == [StaticFolder("/static/", str(project / "collected"), "Django's STATIC_ROOT")]
    assert facts.remedy == "python manage.py migrate"
    assert facts.max_content_length is None
    assert [plain(route) for route in facts.routes] == [
        Route("/", [], "proj.urls.home"),
        Route("/old/(\\d+)$", [], "old"),
        Route("/shop/item/<int:n>/", ["GET", "POST"], "shop:item"),
    ]
    assert facts.notes == [
        'MEDIA_ROOT is not served; if it is public, add under [static]: "/media/" = "/srv/media"'
    ]


def test_django_without_collected_files_says_what_to_run(project: Path) -> None:
    assert discover(None, project).notes == [
        "STATIC_ROOT is not set, so nginx has nothing to serve: set it, then run: python manage.py collectstatic"
    ]


def test_broken_django_urls_are_a_note(project: Path) -> None:
    (project / "proj/urls.py").write_text("import missing_thing")
    assert "the URLs could not be read: ModuleNotFoundError: No module named 'missing_thing'" in (
        discover(AppRef.parse("proj.wsgi"), project).notes
    )


def test_pyramid_is_asked_through_its_introspector(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    facts = ask(
        "from pyramid.config import Configurator\n"
        "def main(global_config, **settings):\n"
        "    config = Configurator(settings=settings)\n"
        "    config.add_route('item', '/item/{n}', request_method='GET')\n"
        f"    config.add_static_view('static', {str(tmp_path / 'files')!r})\n"
        f"    config.add_static_view('secret', {str(tmp_path / 'files')!r}, permission='view')\n"
        f"    config.add_static_view('gone', {str(tmp_path / 'gone')!r})\n"
        "    config.add_static_view('https://cdn.example/x', 'shop:files')\n"
        "    config.include(lambda sub: sub.add_static_view('own', 'shop:files'), route_prefix='admin')\n"
        "    return config.make_wsgi_app()\n",
        "shop:main({})",
    )
    assert (facts.app, facts.kind) == ("shop:main({})", "pyramid")
    assert facts.static == [
        StaticFolder("/admin/own/", str(tmp_path / "files"), "static view /admin/own/"),
        StaticFolder("/static/", str(tmp_path / "files"), "static view /static/"),
    ]
    assert Route("/item/{n}", ["GET"], "item") in map(plain, facts.routes)
    secret = ("static view /secret/", "it asks for the permission 'view'")
    assert facts.left == [LeftFolder("/secret/", str(tmp_path / "files"), *secret)]
    assert facts.never_kept == ["/secret/.*"]
    assert facts.notes == [f"static view /gone/ has no folder: {tmp_path / 'gone'}"]


# -- the child ---------------------------------------------------------------------------------------------


def test_an_app_that_prints_does_not_disturb_the_answer(ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        ask("import os\nprint('{}' * 99)\nos.write(2, b'x' * 200000)\n" + WSGI.format("app")).app
        == "shop:app"
    )
    assert capfd.readouterr() == ("", "")


def test_threads_and_processes_of_the_app_end_with_the_answer(ask: Ask, tmp_path: Path) -> None:
    ask(
        "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "pid = os.fork()\n"
        "time.sleep(600) if pid == 0 else open('pid', 'w').write(str(pid))\n" + WSGI.format("app")
    )
    assert _is_gone(int((tmp_path / "pid").read_text()))


def test_a_large_answer_arrives_whole(ask: Ask) -> None:
    facts = ask(
        FLASK + "app = Flask(__name__, static_folder=None)\n"
        "for n in range(3000): app.add_url_rule(f'/{n}/' + 'x' * 99, endpoint=str(n))\n"
    )
    assert len(facts.routes) == 3000


def test_stdin_is_empty_and_the_command_line_is_not_ours(ask: Ask) -> None:
    ask("import sys\nassert sys.stdin.read() == '' and len(sys.argv) == 1\n" + WSGI.format("app"))


def test_the_app_runs_in_its_own_directory(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/shop.py").write_text("open('beside.txt').close()\n" + WSGI.format("app"))
    (tmp_path / "deep/beside.txt").touch()
    assert discover(AppRef.parse("deep/shop.py"), tmp_path).directory == str(tmp_path / "deep")


def test_a_file_named_like_a_module_of_ours_hides_nothing(tmp_path: Path) -> None:
    for name in ("portico", "json", "faulthandler"):
        (tmp_path / f"{name}.py").write_text("1/0")
    (tmp_path / "app.py").write_text(WSGI.format("app"))
    assert discover(None, tmp_path).app == "app:app"


def test_a_crash_shows_the_stack(ask: Ask) -> None:
    with pytest.raises(ImportFailedError) as caught:
        ask("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert caught.value.problems[0].what == "SIGSEGV ended the app while it was imported"
    assert 'shop.py", line 2 in <module>' in caught.value.problems[0].quote


def test_an_import_that_stops_even_the_watchdog_is_killed(ask: Ask) -> None:
    with pytest.raises(ImportFailedError, match="the import did not finish within 500ms"):
        ask(
            "import faulthandler, time\nfaulthandler.cancel_dump_traceback_later()\ntime.sleep(600)",
            timeout=0.5,
        )


def test_an_app_that_closes_every_descriptor_is_an_error(ask: Ask) -> None:
    with pytest.raises(ImportFailedError, match="closed file descriptors that it did not open") as caught:
        ask("import os, time\nos.closerange(3, 256)\ntime.sleep(0.5)\n" + WSGI.format("app"))
    assert "os.closerange()" in caught.value.problems[0].hint


def test_what_an_app_opens_in_the_place_of_our_answer_stays_its_own(ask: Ask, tmp_path: Path) -> None:
    code = "import os\nos.closerange(3, 256)\nfiles = [open(f'own{n}', 'w') for n in range(20)]\n"
    with pytest.raises(ImportFailedError, match="closed file descriptors that it did not open"):
        ask(code + WSGI.format("app"))
    assert {path.read_text() for path in tmp_path.glob("own*")} == {""}


def test_closing_ends_the_child(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    asked = start_discovery(None, tmp_path)
    pid = _wait_for_pid(tmp_path)
    asked.close()
    asked.close()
    assert _is_gone(pid)


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    code = "from pathlib import Path; from portico.site import discover as site; "
    code += "site.start_discovery(None, Path.cwd()).facts()"
    with running([sys.executable, "-c", code], cwd=tmp_path) as parent:
        pid = _wait_for_pid(tmp_path)
        parent.kill()  # alone
        parent.wait()
        assert _is_gone(pid)


def test_a_python_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^/no/python: cannot be run: No such file or directory"):
        discover(None, tmp_path, program=["/no/python"])


def _wait_for_pid(directory: Path) -> int:
    for _ in range(3000):
        if (directory / "pid").exists() and (text := (directory / "pid").read_text()):
            return int(text)
        time.sleep(0.02)
    raise AssertionError("the app was not imported")


def _is_gone(pid: int) -> bool:
    """True when the process has ended, at once or soon; a zombie has ended."""
    for _ in range(1500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


_MARKS = re.compile(r"^ *~[~^]*\n", re.MULTILINE)
"""Python 3.13 marks the failing part of more lines than 3.11 does."""


# -- what a newcomer reads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_the_error_reads(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case: `ref:`, `env:`, `timeout:`, `== FILE` and its lines; dashes; the exit code and the exact text."""
    given, _, expected = case.read_text().partition(f"{RULE}\n")
    said = _said(given, tmp_path, monkeypatch)
    if os.environ.get("GOLDEN") == "update":
        case.write_text(f"{given}{RULE}\n{said}")
    else:
        assert said == expected


def _said(given: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    options, *files = given.split("== ")
    for name, _, content in (file.partition("\n") for file in files):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    words = dict(line.split(": ", 1) for line in options.splitlines())
    if "env" in words:
        monkeypatch.setenv(*words["env"].split("=", 1))
    reference = AppRef.parse(words["ref"]) if "ref" in words else None
    with pytest.raises(PorticoError) as caught:
        discover(reference, directory, timeout=float(words.get("timeout", 60)))
    said = f"exit code {caught.value.exit_code}\n{caught.value}\n".replace(str(directory), "$DIR")
    return _MARKS.sub("", said)
