"""What the app has wide open is found by asking it, and its keys are never told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.link.app.risks.secret_keys import strength
from tests.support import free_port, portico, private_directory, write_files

FLASK = "import os, threading\nfrom flask import Flask\napp = Flask(__name__)\n"
GOOD = "kX3vLq8ZpW5nRt7YcB2mHf9D"
DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
settings.configure(DEBUG={debug}, ALLOWED_HOSTS=["*"], SECRET_KEY="django-insecure-{key}", ROOT_URLCONF=__name__,
                   SECURE_PROXY_SSL_HEADER=("HTTP_X_SCHEME", "https"))
urlpatterns = []
app = get_wsgi_application()
"""
PYRAMID = """
from pyramid.config import Configurator
config = Configurator(settings={"pyramid.debug_all": "true", "session.secret": "seekrit"})
app = config.make_wsgi_app()
"""
FASTAPI = """
from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware
app = FastAPI(debug=True)
app.add_middleware(SessionMiddleware, secret_key="changeme")
"""
SCHEDULER = """
class BaseScheduler:
    running = True
BaseScheduler.__module__ = "apscheduler.schedulers.base"
class Own(BaseScheduler): ...
made = {"of": Own()}
app.extensions["jobs"] = made["of"]
"""
DEBUGGER = """
from werkzeug.debug import DebuggedApplication
app.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=True)
"""
OPEN = f"""{FLASK}{SCHEDULER}{DEBUGGER}
app.config.from_mapping(TESTING=True, JWT_SECRET_KEY=os.urandom(20))
setattr(app, 'secret_key', 'd' + 'ev')
threading.Timer(3600, lambda: 0).start()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        yield directory


def checked(home: Path, code: str, *words: str, **env: str) -> list[dict[str, Any]]:
    write_files(home, {"app.py": code})
    listen = () if "--listen" in words else ("--listen", f"127.0.0.1:{free_port()}")
    done = portico("check", "--json", *listen, *words, cwd=home, env=env)
    assert done.stdout, done.stderr
    assert GOOD not in done.stdout + done.stderr, "no key is ever told"
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def has(found: list[dict[str, Any]], level: str, words: str) -> bool:
    return any(one["level"] == level and words in one["what"] and one["hint"] for one in found)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (
            OPEN,
            {
                "run any code": "fault",
                "FLASK_DEBUG says so": "warning",
                "TESTING is on": "warning",
                "SECRET_KEY is known from tutorials": "warning",
                "JWT_SECRET_KEY is random": "warning",
                "a timer was started at import (app.py:": "warning",
                "APScheduler (app.extensions['jobs']) runs in every worker": "warning",
            },
        ),
        (PYRAMID, {"debug_all": "warning", "session.secret is known from tutorials": "warning"}),
        (FASTAPI, {"debug is on": "warning", "secret_key is known from tutorials": "warning"}),
    ],
    ids=["flask", "pyramid", "fastapi"],
)
def test_it_is_found_however_it_was_set(home: Path, code: str, wanted: dict[str, str]) -> None:
    found = checked(home, code, FLASK_DEBUG="1")
    for words, level in wanted.items():
        assert has(found, level, words), (words, found)


def test_a_good_key_from_elsewhere_is_no_finding(home: Path) -> None:
    found = checked(home, FLASK + "app.secret_key = os.environ['KEY']\n", KEY=GOOD)
    assert not [one for one in found if "key" in one["what"].lower()], found


def test_a_key_that_git_tracks_is_found_in_its_line(home: Path) -> None:
    write_files(home, {"app.py": "", "conf/keys.ini": f"[a]\nb = 1\nkey = {GOOD}\n"})
    for words in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *words], cwd=home, check=True, timeout=60)
    read = "app.secret_key = open('conf/keys.ini').read().split()[-1]\n"
    found = checked(home, FLASK + read)
    assert has(found, "warning", "is in conf/keys.ini:3, which git tracks"), found


def test_who_can_reach_it_decides(home: Path) -> None:
    """Django's insecure defaults are a fault where strangers come; cookies count with HTTPS only."""
    code = DJANGO.format(debug=True, key=GOOD)
    near = checked(home, code)
    assert not has(near, "warning", "SESSION_COOKIE_SECURE")
    for what in ("ALLOWED_HOSTS", "DEBUG is on", "SECRET_KEY is known from tutorials", "HTTP_X_SCHEME"):
        assert has(near, "warning", what), (what, near)
    words = ("--listen", f":{free_port()}", "--https", "local", "--domain", "shop.example")
    far = checked(home, code, *words)
    assert has(far, "fault", "DEBUG is on"), far
    assert has(far, "fault", "SECRET_KEY is known from tutorials")
    assert has(far, "warning", "CSRF_COOKIE_SECURE is off")
    assert not has(far, "warning", "ALLOWED_HOSTS"), "nginx closes every other host"


def test_a_public_site_with_a_debugger_is_not_started(home: Path) -> None:
    write_files(home, {"app.py": FLASK + DEBUGGER})
    done = portico("run", "--listen", f":{free_port()}", cwd=home)
    assert done.returncode == 2
    assert done.stderr.startswith("app:app: Werkzeug's debugger wraps the app")
    assert "do not wrap the app" in done.stderr
    told = portico("plan", "--json", "--listen", "127.0.0.1:8080", cwd=home)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (b"dev", "known"),
        (b"django-insecure-Xk29dkfl2kdLLqpw92kdlfm3", "known"),
        (b"Xk29dkfl2k", "short"),
        (b"abababababababababab", "guessable"),
        (b"the-secret-of-my-site", "guessable"),
        (GOOD.encode(), "good"),
        (bytes(range(100, 120)), "good"),
    ],
)
def test_how_hard_a_key_is_to_guess(key: bytes, what: str) -> None:
    assert strength(key) == what
