"""`portico run --dev`: a change is served, the debugger's page and pdb work, and nobody else can reach it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support import (
    Served,
    contents,
    environment,
    free_port,
    portico,
    private_directory,
    served,
    write_files,
)
from tests.support.process import running
from tests.support.until import until

APP = """
import os
from flask import Flask, render_template

os.environ["WERKZEUG_DEBUG_PIN"] = "off"
app = Flask(__name__)
WORD = "one"
SAVE = "first"

@app.get("/")
def index():
    return WORD + os.environ.get("OF_DOTENV", "")

@app.get("/save")
def save():
    return SAVE

@app.get("/template")
def template():
    return render_template("page.txt")

@app.get("/fails")
def fails():
    raise RuntimeError("on purpose")

@app.get("/stops")
def stops():
    here = "treas" + "ure"
    breakpoint()
    return "gone on"
"""
TOML = """
domains = ["shop.example"]
request_timeout = "1s"
[workers]
count = 3
[https]
mode = "auto"
"""
FILES = {
    "app.py": APP, "portico.toml": TOML, "templates/page.txt": "a page", "static/a.css": "a {}",
    "more/b.txt": "more",
}  # fmt: skip


class Terminal:
    """Portico in a terminal of its own, with what was shown there so far."""

    def __init__(self, site: Served, ours: int) -> None:
        self.site, self._ours, self.shown = site, ours, ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # its end
            while text := os.read(self._ours, 4096):
                self.shown += text.decode(errors="replace").replace("\r", "")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until_shown(self, words: str, count: int = 1) -> None:
        until(lambda: self.shown.count(words) >= count, lambda: f"not shown: {words}\n{self.shown[-5000:]}")

    @property
    def has_echo(self) -> bool:
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)


@contextmanager
def in_terminal() -> Iterator[Terminal]:
    ours, its = pty.openpty()
    with private_directory() as home:
        write_files(home, FILES)
        port = free_port()
        setsid = shutil.which("setsid") or "setsid"
        argv = [
            setsid,
            "--ctty",
            sys.executable,
            "-m",
            "portico",
            "run",
            "--dev",
            "--listen",
            f"127.0.0.1:{port}",
        ]
        known = environment(home) | {"NO_COLOR": "1"}
        with running(argv, cwd=home, env=known, stdin=its, stdout=its, stderr=its) as process:
            os.close(its)
            made = Terminal(
                Served(process, home, port, stderr_path=home / "none", stdout_path=home / "none"), ours
            )
            made.until_shown("Ctrl-C stops it")
            yield made
    os.close(ours)


@pytest.fixture(scope="module")
def terminal(_needs_nginx: None) -> Iterator[Terminal]:
    with in_terminal() as made:
        yield made


@pytest.fixture
def site(terminal: Terminal) -> Iterator[Served]:
    """As it was, and serving that."""
    made = terminal.site
    yield made
    texts = {
        name: re.sub("SAVE = .*", 'SAVE = "first"', (made.directory / name).read_text()) for name in FILES
    }
    files = {name: text for name, text in FILES.items() if texts[name] != text}
    write_files(made.directory, files)
    for number in range(2 if files else 0):  # one look at the files may see the last of several changes alone
        word = f"{number} after {len(terminal.shown)}"
        save(made.directory / "app.py", APP.replace('"first"', f'"{word}"'))
        until(lambda word=word: made.get("/save").text == word, lambda: terminal.shown[-3000:])  # type: ignore[misc]


def save(path: Path, text: str) -> None:
    """As editors do it that write another file first."""
    draft = path.with_name(".draft")
    draft.write_text(text)
    draft.rename(path)


def suppressed_get(site: Served, path: str) -> None:
    with suppress(httpx.TransportError):
        site.get(path)


def until_answered(site: Served, path: str, text: str) -> httpx.Response:
    def answer() -> httpx.Response | None:
        found = site.get(path)
        return found if text in found.text else None

    found = until(answer, lambda: f"{text} is not in {site.get(path).text[:2000]}")
    assert found
    return found


def test_changes_of_the_code_are_served_also_two_of_the_same_length_within_a_second(site: Served) -> None:
    for word in ("two", "six", "ten"):
        save(site.directory / "app.py", APP.replace('"one"', f'"{word}"'))
        until_answered(site, "/", word)


def test_a_template_and_another_module_are_seen(site: Served) -> None:
    (site.directory / "templates" / "page.txt").write_text("another page")
    until_answered(site, "/template", "another page")
    (site.directory / "part.py").write_text("WORD = 'of a part'\n")
    save(site.directory / "app.py", APP.replace('WORD = "one"', "from part import WORD"))
    until_answered(site, "/", "of a part")
    (site.directory / "part.py").write_text("WORD = 'of another'\n")
    until_answered(site, "/", "of another")


def test_a_static_file_is_never_an_old_one(site: Served) -> None:
    for text in ("b {}", "c {}", "d {}"):
        (site.directory / "static" / "a.css").write_text(text)
        answer = site.get("/static/a.css", headers={"Accept-Encoding": "br, gzip"})
        assert (answer.text, answer.headers["Cache-Control"]) == (text, "no-cache, no-store")


def test_broken_code_is_a_traceback_in_the_terminal_and_the_browser_until_it_is_mended(
    site: Served, terminal: Terminal
) -> None:
    for broken, words in (
        ("def index(:\n", "SyntaxError: invalid syntax"),
        ("app = nothing\n", "NameError: name 'nothing'"),
    ):
        seen = terminal.shown.count(words)
        save(site.directory / "app.py", broken)
        answer = until_answered(site, "/", words.partition(":")[0])
        assert answer.status_code == 500
        assert "app.py" in answer.text
        assert "gunicorn" not in answer.text
        terminal.until_shown(words, seen + 1)
        save(site.directory / "app.py", APP)
        assert until_answered(site, "/", "one").status_code == 200


@pytest.mark.usefixtures("_needs_nginx")
def test_settings_and_variables_are_read_again() -> None:
    with in_terminal() as terminal:
        _change_settings(terminal.site, terminal)


def _change_settings(site: Served, terminal: Terminal) -> None:
    (site.directory / ".env").write_text("OF_DOTENV=-of-env\n")
    until_answered(site, "/", "one-of-env")
    save(site.directory / "portico.toml", TOML + '[static]\n"/more/" = "more"\n')
    until_answered(site, "/more/b.txt", "more")
    save(site.directory / "portico.toml", TOML + "nonsense = 1\n")
    terminal.until_shown("nonsense: unknown key")
    assert site.get().status_code == 200
    assert not re.search(r"conf-\d.* changed", terminal.shown), "Portico's own files are not watched"


def test_the_debugger_asks_for_its_pin_and_no_other_host_reaches_it(site: Served, terminal: Terminal) -> None:
    page = site.get("/fails")
    assert page.status_code == 500
    assert "RuntimeError: on purpose" in page.text
    secret, frame = re.search(r'SECRET = "(\w+)"', page.text), re.search(r'id="frame-(\d+)"', page.text)
    assert secret
    assert frame
    resource = site.get("/?__debugger__=yes&cmd=resource&f=debugger.js")
    assert "openShell" in resource.text
    asked = {"__debugger__": "yes", "cmd": "6*7", "frm": frame[1], "s": secret[1]}
    assert "42" not in site.get("/", params=asked).text
    terminal.until_shown("WERKZEUG_DEBUG_PIN=off is not obeyed")
    pin = re.search(r"this PIN: (\d{4}-\d{4}-\d{4})\n", terminal.shown)
    assert pin
    assert not [path for path, text in contents(site.directory).items() if pin[1].encode() in text]
    let_in = site.get("/", params={"__debugger__": "yes", "cmd": "pinauth", "pin": pin[1], "s": secret[1]})
    cookie = let_in.headers["Set-Cookie"].partition(";")[0]
    assert "42" in site.get("/", params=asked, headers={"Cookie": cookie}).text
    with pytest.raises(httpx.TransportError):
        site.get(headers={"Host": "shop.example"})


def test_pdb_has_the_terminal_and_no_time_limit_ends_it(site: Served, terminal: Terminal) -> None:
    answers, seen = list[str](), terminal.shown.count("(Pdb)")
    asking = threading.Thread(target=lambda: answers.append(site.get("/stops").text))
    asking.start()
    terminal.until_shown("(Pdb)", seen + 1)
    terminal.type("p here\n")
    terminal.until_shown("'treasure'")
    assert site.get().text == "one", "others are answered meanwhile"
    terminal.type("c\n")
    asking.join(60)
    assert answers == ["gone on"]


@pytest.mark.of_nginx  # httpd asks no second worker for the answer of one that ended
def test_a_change_ends_a_session_in_pdb_and_the_new_code_answers_its_request(
    site: Served, terminal: Terminal
) -> None:
    answers, seen = list[str](), terminal.shown.count("(Pdb)")
    asking = threading.Thread(target=lambda: answers.append(site.get("/stops").text))
    asking.start()
    terminal.until_shown("(Pdb)", seen + 1)
    until(lambda: not terminal.has_echo, "pdb reads no line")
    save(site.directory / "app.py", APP.replace("breakpoint()", "pass"))
    asking.join(120)
    assert answers == ["gone on"]
    until(lambda: terminal.has_echo, "what is typed is not shown")
    assert "out of memory" not in terminal.shown


@pytest.mark.usefixtures("_needs_nginx")
def test_the_end_of_a_session_in_pdb_shows_again_what_is_typed() -> None:
    with in_terminal() as terminal:
        asking = threading.Thread(target=lambda: suppressed_get(terminal.site, "/stops"))
        asking.start()
        terminal.until_shown("(Pdb)")
        until(lambda: not terminal.has_echo, "pdb reads no line")
        terminal.type("\x03")
        assert terminal.site.process.wait(120) is not None
        assert terminal.has_echo
        asking.join(60)


STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

@asynccontextmanager
async def lifespan(app):
    if WORD == "bad":
        raise RuntimeError("no start")
    yield

async def index(request):
    return PlainTextResponse(WORD)

async def fails(request):
    raise RuntimeError("on purpose")

WORD = "one"
app = Starlette(routes=[Route("/", index), Route("/fails", fails)], lifespan=lifespan)
"""


@pytest.mark.of_nginx  # Gunicorn over HTTP has no --dev
@pytest.mark.usefixtures("_needs_nginx")
def test_an_asgi_app_is_reloaded_and_shows_what_fails() -> None:
    with served({"app.py": STARLETTE}, "--dev") as site:
        page = site.get("/fails", headers={"Accept": "text/html"})
        assert "on purpose" in page.text
        assert "Traceback" in page.text
        for word in ("two", "bad", "six"):
            save(site.directory / "app.py", STARLETTE.replace('WORD = "one"', f'WORD = "{word}"'))
            until_answered(site, "/", {"bad": "no start"}.get(word, word))
        save(site.directory / "app.py", "def index(:")
        until_answered(site, "/", "SyntaxError")
        save(site.directory / "app.py", STARLETTE)
        until_answered(site, "/", "one")


DJANGO = """
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="of a test, no secret at all")
WORD = "one"

def index(request):
    return HttpResponse(WORD)

urlpatterns = [path("", index)]
app = get_wsgi_application()
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()
WORD = "one"

@app.get("/", response_class=PlainTextResponse)
def index():
    return WORD
"""
QUART = """
from quart import Quart

app = Quart(__name__)
WORD = "one"

@app.get("/")
async def index():
    return WORD
"""


@pytest.mark.usefixtures("_needs_nginx")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(DJANGO, id="django"),
        pytest.param(FASTAPI, id="fastapi", marks=pytest.mark.of_nginx),  # Gunicorn over HTTP has no --dev
        pytest.param(QUART, id="quart", marks=pytest.mark.of_nginx),
    ],
)
def test_a_save_is_served_with_every_framework(code: str) -> None:
    with served({"app.py": code}, "--dev") as site:
        assert site.get().text == "one"
        save(site.directory / "app.py", code.replace('WORD = "one"', 'WORD = "two"'))
        until_answered(site, "/", "two")
        save(site.directory / "app.py", code.replace('WORD = "one"', "WORD = missing"))
        until_answered(site, "/", "NameError")
        save(site.directory / "app.py", code)
        until_answered(site, "/", "one")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--listen 0.0.0.0:8080", "0.0.0.0:8080 can be reached from others"),
        ("--listen :80", "add --listen 127.0.0.1:8080"),
        ("--domain shop.example", "--dev serves localhost alone"),
        ("--https files --https-cert a --https-key b", "--dev has no public certificate"),
        ("--https local --https-listen 0.0.0.0:8443", "can be reached from others"),
        ("--workers-server uwsgi", "uWSGI cannot run an app for --dev"),
        ("--metrics 0.0.0.0:9100", "can be reached from others"),
    ],
)
def test_it_is_refused_where_others_could_reach_it(words: str, said: str) -> None:
    with private_directory() as home:
        write_files(home, {"app.py": "def app(environ, start_response): ..."})
        made = portico("plan", "--dev", *words.split(), cwd=home)
        assert made.returncode == 2, made.stdout[:300]
        assert said in made.stderr


def test_a_service_and_several_sites_are_refused() -> None:
    with private_directory() as home:
        write_files(home, {"a/app.py": "app = 1", "b/app.py": "app = 1"})
        assert "name one of them" in portico("run", "--dev", "a", "b", cwd=home).stderr
        made = portico("run", "--dev", "a", cwd=home, env={"NOTIFY_SOCKET": "/run/none"})
        assert "service of systemd" in made.stderr
        assert made.returncode == 2


@pytest.mark.usefixtures("_needs_nginx")
def test_production_has_no_way_to_the_debugger() -> None:
    with served({"app.py": APP}, "--env=FLASK_DEBUG=1", "--workers", "1", env={"PORTICO_DEV": "1"}) as site:
        answer = site.get("/fails")
        assert answer.status_code == 500
        assert "on purpose" not in answer.text
        assert "debugger" not in answer.text
