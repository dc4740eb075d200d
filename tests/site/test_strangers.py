"""A stranger asks the app for its static files: which folders nginx may send, and with which headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from portico.site.discover import Reached
from portico.site.facts import AppFacts
from portico.values import AppRef
from tests.site.asked import discover

BEGIN = """
import os
from flask import Flask, abort, redirect, request, session
app = Flask(__name__, static_folder="files", static_url_path="/static")
app.secret_key = "for the test"
"""
BEFORE = BEGIN + "@app.before_request\ndef hook():\n    "
AFTER = BEGIN + "@app.after_request\ndef hook(answer):\n    {}\n    return answer\n"
ECHO = "answer.headers['Access-Control-Allow-Origin'] = request.headers.get('Origin', '*')"
FILES = ("app.css", "deep/er/app.js", "deep/a.txt", "deep/b.txt", "deep/report.pdf", "app.txt", "app.bin")

Ask = Callable[..., AppFacts]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def ask(code: str, reached: Reached = Reached(), files: tuple[str, ...] = FILES) -> AppFacts:  # noqa: B008
        (tmp_path / "files").mkdir()
        for name in files:
            path = tmp_path / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        (tmp_path / "shop.py").write_text(code)
        return discover(AppRef.parse("shop:app"), tmp_path, timeout=60, reached=reached)

    return ask


ORIGIN = "its answers depend on the Origin of a request, and nginx cannot know which it lets in"
VARIED = "its header {} is not the same for each file and client (asked for /static/{})"
DENIED = "the app answers 403 to an anonymous client that requests /static/"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (BEFORE + "if request.remote_addr != '127.0.0.1': abort(403)", DENIED + "app.bin"),
        (BEFORE + "if request.path.startswith('/static/deep/er/'): abort(403)", DENIED + "deep/er/app.js"),
        (BEFORE + "if request.path.endswith('.pdf'): abort(403)", DENIED + "deep/report.pdf"),
        (BEFORE + "if request.headers.get('Origin'): abort(403)", DENIED + "app.bin"),
        (BEFORE + "if request.host == 'inside.example': abort(403)", DENIED + "app.bin"),
        (
            BEFORE + "return redirect('/login')",
            "the app answers 302 to an anonymous client that requests /static/app.bin",
        ),
        (BEFORE + "1/0", "the app answers 500 to an anonymous client that requests /static/app.bin"),
        (BEFORE + "return 'a page'", "the app answers /static/app.bin with other bytes than the file's"),
        (
            BEGIN + "@app.url_value_preprocessor\ndef hook(endpoint, values): abort(403)",
            DENIED + "app.bin",
        ),
        (
            BEGIN + "class Session(type(app.session_interface)):\n"
            "    def open_session(self, app, request): abort(403)\n"
            "app.session_interface = Session()",
            "the app answers 500 to an anonymous client that requests /static/app.bin",
        ),
        (
            AFTER.format("answer.headers['X-Nonce'] = os.urandom(9).hex()"),
            VARIED.format("X-Nonce", "app.bin"),
        ),
        (
            AFTER.format(
                "answer.headers['Access-Control-Allow-Origin'] = request.headers.get('Origin', 'null')"
            ),
            VARIED.format("Access-Control-Allow-Origin", "app.bin"),
        ),
        (
            AFTER.format(f"{ECHO}; answer.headers['Access-Control-Allow-Credentials'] = 'true'"),
            VARIED.format("Access-Control-Allow-Origin", "app.bin"),
        ),
        (
            AFTER.format("answer.cache_control.max_age = len(request.path)"),
            VARIED.format("Cache-Control", "deep/a.txt"),
        ),
        (AFTER.format("answer.vary.add('Origin')"), ORIGIN),
        (AFTER.format("request.headers.get('Origin') in ('https://a.example',) and print()"), ORIGIN),
        (AFTER.format("answer.headers['X-Cost'] = '5 $'"), "nginx cannot write its header X-Cost"),
        (
            AFTER.format("answer.content_type = 'text/plain'"),
            "the app sends /static/app.bin as text/plain, which nginx would not",
        ),
    ],
)
def test_a_folder_that_nginx_could_not_serve_as_the_app_does_is_left_to_it(
    ask: Ask, code: str, why: str
) -> None:
    facts = ask(code, Reached(("shop.example", "inside.example")))
    assert facts.static == []
    assert [folder.why for folder in facts.left] == [why]
    assert facts.never_kept == ["/static/.*"]


def test_an_app_that_hangs_is_waited_for_a_bounded_time(ask: Ask) -> None:
    facts = ask(BEFORE + "import time; time.sleep(600)")
    assert [folder.why for folder in facts.left] == [
        "the app was silent for 5 s when it was asked for a file"
    ]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ((), "there is no file yet for a test request"),
        (tuple(f"{n}/a.css" for n in range(201)), "they are too many for a test request each"),
    ],
)
def test_a_folder_that_cannot_be_asked_for_is_left_to_the_app(
    ask: Ask, files: tuple[str, ...], why: str
) -> None:
    (left,) = ask(BEFORE + "pass", files=files).left
    assert left.why.endswith(why)


@pytest.mark.parametrize(
    ("code", "headers", "cache_control"),
    [
        (BEGIN, (), ""),
        (BEFORE + "if request.endpoint != 'static': abort(403)", (), ""),
        (BEFORE + "session.get('user')", (("Vary", "Cookie"),), ""),
        (
            AFTER.format("answer.headers['Access-Control-Allow-Origin'] = '*'"),
            (("Access-Control-Allow-Origin", "*"),),
            "",
        ),
        (
            AFTER.format(
                "if 'Origin' in request.headers: answer.headers['Access-Control-Allow-Origin'] = '*'"
            ),
            (("Access-Control-Allow-Origin", "*"),),
            "",
        ),
        (AFTER.format(f"{ECHO}; answer.vary.add('Origin')"), (("Access-Control-Allow-Origin", "*"),), ""),
        (AFTER.format("answer.headers['Cache-Control'] = 'no-store'"), (), "no-store"),
        (AFTER.format("answer.headers['Server-Timing'] = os.urandom(9).hex()"), (), ""),
        (BEGIN + "app.get_send_file_max_age = lambda name: 60", (), "public, max-age=60"),
        (
            BEGIN + "app.config['SEND_FILE_MAX_AGE_DEFAULT'] = 60\n@app.before_request\ndef hook(): pass",
            (),
            "",
        ),
    ],
)
def test_a_folder_that_everybody_may_see_is_nginx_s_with_the_app_s_headers(
    ask: Ask, code: str, headers: tuple[tuple[str, str], ...], cache_control: str
) -> None:
    facts = ask(code)
    assert facts.left == []
    assert [(folder.headers, folder.cache_control) for folder in facts.static] == [(headers, cache_control)]
    assert facts.never_kept == []


def test_a_cookie_with_a_static_file_is_dropped_and_said(ask: Ask) -> None:
    facts = ask(AFTER.format("answer.set_cookie('seen', os.urandom(9).hex())"))
    assert [folder.url for folder in facts.static] == ["/static/"]
    assert facts.notes == [
        "the app sets a cookie (seen) with the files of /static/; nginx sends them without"
    ]


def test_an_app_is_asked_only_where_code_of_its_own_would_see_it(ask: Ask, tmp_path: Path) -> None:
    end = "if request.path != '/': open('asked.txt', 'w').close()"
    code = BEGIN + f"@app.teardown_request\ndef end(error):\n    {end}\n"
    assert [folder.url for folder in ask(code).static] == ["/static/"]
    assert not (tmp_path / "asked.txt").exists()


SECURE = BEFORE + (
    "if not request.is_secure: return redirect('https://' + request.host)\n"
    "@app.after_request\ndef say(answer):\n"
    "    answer.headers['Strict-Transport-Security'] = request.host + request.script_root\n    return answer\n"
)


def test_an_app_is_asked_in_the_way_its_clients_come(ask: Ask) -> None:
    (folder,) = ask(SECURE, Reached(("shop.example",), "https", "/shop")).static
    assert folder.headers == (("Strict-Transport-Security", "shop.example/shop"),)


def test_an_app_that_wants_https_is_not_served_without(ask: Ask) -> None:
    (left,) = ask(SECURE).left
    assert left.why == "the app answers 302 to an anonymous client that requests /static/app.bin"


NESTED = """
from flask import Flask, Blueprint, abort
app = Flask(__name__, static_folder="files", static_url_path="/static")
guarded = Blueprint("guarded", __name__, static_folder="files", static_url_path="/files", url_prefix="/guarded")
inner = Blueprint("inner", __name__, static_folder="files", static_url_path="/files", url_prefix="/inner")
guarded.before_request(lambda: abort(403))
guarded.register_blueprint(inner)
app.register_blueprint(guarded)
"""


def test_a_blueprint_s_hook_counts_for_its_files_and_those_of_blueprints_in_it(ask: Ask) -> None:
    facts = ask(NESTED)
    assert [folder.url for folder in facts.static] == ["/static/"]
    assert [folder.url for folder in facts.left] == ["/guarded/files/", "/guarded/inner/files/"]


PATTERN = """
from flask import Flask, Blueprint
app = Flask(__name__, static_folder=None)
shop = Blueprint("shop", __name__, static_folder="files", static_url_path="/files", url_prefix="/<lang>")
shop.before_request(lambda: None)
app.register_blueprint(shop)
"""


def test_files_below_a_pattern_that_the_app_may_protect_are_never_kept(ask: Ask) -> None:
    assert ask(PATTERN).never_kept == ["/(?:[^/]{1,})/files/(?:[^/].*?)"]
