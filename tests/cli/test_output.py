"""What the app, its clients and files say never steers the terminal of who reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from portico.cli import notices as sentences
from portico.cli import output
from portico.errors import Problem
from portico.protocol import notices
from tests.support import Served, portico, served

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e\x00"
APP = """
from flask import Flask
EVIL = "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\r\\u202e"
app = Flask(__name__)

@app.get("/")
def home():
    print("says " + EVIL)
    return "home"

@app.get("/boom", endpoint="b" + EVIL)
def boom():
    raise RuntimeError(EVIL)
"""
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": APP}, "app:app") as run:
        yield run


def test_every_text_of_a_value_is_made_safe() -> None:
    told = {"a\x1b": [("b\x07", 1), None], "lines": "one\ntwo\r"}
    assert output.safe(told) == {"a\\x1b": [("b\\x07", 1), None], "lines": "one\ntwo\\x0d"}


def test_the_last_fence_keeps_our_colours_alone() -> None:
    assert output.tamed(output.bad("x")) == output.bad("x")
    assert output.tamed("\x1b[8mhidden\x1b[2J\ttab\n") == "\\x1b[8mhidden\\x1b[2J\ttab\n"


def test_json_stays_as_it_is() -> None:
    told = {"name": EVIL}
    assert json.loads(output.tamed(output.as_json(told))) == told
    assert json.loads(output.tamed(output.as_json_line(told))) == told


@pytest.mark.parametrize(
    "item",
    [
        notices.SiteSaid(EVIL, EVIL),
        notices.Trouble(Problem(EVIL, EVIL, EVIL, EVIL)),
        notices.ServerOut(EVIL, EVIL),
        notices.Stuck(EVIL, EVIL),
        notices.GatewaySaid(EVIL),
        notices.GatewaySaid(EVIL, "apache"),
        notices.ServerSaid(EVIL),
        notices.WatcherFailed(EVIL, EVIL, None),
    ],
)
def test_news_say_it_in_plain_text(item: notices.Notice) -> None:
    ours = re.compile(r"\x1b\[(0|1|2|31|32|33)m")
    assert not CONTROL.search(ours.sub("", sentences.sentence(item)))


def test_every_kind_of_notice_has_its_sentence() -> None:
    assert set(get_args(notices.ANY)) - sentences.ROWS.keys() == {notices.Precompressing}, "a bar"


def test_a_notice_is_the_same_after_its_way_through_json() -> None:
    item = notices.ReleaseDropped(2, 3, (Problem("portico.toml:3", "is wrong", quote="words"),))
    told = json.loads(json.dumps(notices.to_json(item)))
    assert told["notice"] == "ReleaseDropped"
    assert msgspec.convert(told, notices.ANY) == item
    assert msgspec.convert(told | {"more": 1}, notices.ANY) == item


@pytest.mark.parametrize(
    "words",
    [
        ("logs", "--no-follow", "-v"),
        ("status",),
        ("top", "--once"),
        ("trace", "/boom"),
        ("reload",),
        ("check",),
    ],
    ids=lambda words: words[0],
)
def test_no_command_prints_control_characters(site: Served, words: tuple[str, ...]) -> None:
    site.raw(f"GET /boom?{EVIL[:-1]} HTTP/1.0\r\nUser-Agent: {EVIL[:-3]}\r\n\r\n".encode("latin-1", "ignore"))
    site.line(site.get("/"))
    site.line(site.get("/boom"))
    if words == ("reload",):
        (site.directory / "app.py").write_text(APP + "\nraise RuntimeError(EVIL)\n")
    done = portico(*words, cwd=site.directory)
    (site.directory / "app.py").write_text(APP)
    assert not CONTROL.search(done.stdout), done.stdout
    assert not CONTROL.search(done.stderr), done.stderr
    if words[0] in ("logs", "trace", "reload"):
        assert "owned" in done.stdout, "it is shown, in plain letters"
