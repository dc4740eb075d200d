"""`portico learn` over Apache httpd, for an ASGI app and for uWSGI: what each can be asked, and what happened there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.learn.course import CHAPTERS
from tests.support import portico, private_directory, write_files

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>Shop</title>welcome"]
"""
ASGI = """
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI()

@app.get("/", response_class=HTMLResponse)
async def index():
    return "<title>Shop</title>welcome"
"""
TOML = 'app = "shop:app"\n[static]\n"/static/" = "static"\n[workers]\ncount = 1\n'
KINDS = {
    "apache": (WSGI, f'gateway = "apache"\n{TOML}'),
    "asgi": (ASGI, TOML),
    "uwsgi": (WSGI, f'{TOML}server = "uwsgi"\n'),
}
ALL = [one.name for one in CHAPTERS]
Lessons = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module", params=KINDS)
def variety(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def home(variety: str) -> Iterator[Path]:
    code, toml = KINDS[variety]
    with private_directory() as made:
        write_files(made, {"shop.py": code, "portico.toml": toml, "static/shop.css": "p {}"})
        yield made


@pytest.fixture(scope="module")
def printed(home: Path) -> dict[str, Any]:
    done = portico("learn", "--route", "/", "--json", "--answers", cwd=home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def lessons(printed: dict[str, Any]) -> Lessons:
    return {one["name"]: {each["text"]: each for each in one["questions"]} for one in printed["lessons"]}


def test_each_kind_has_its_lessons_and_the_others_have_a_reason(
    printed: dict[str, Any], variety: str, lessons: Lessons
) -> None:
    left = {one["name"]: one["why"] for one in printed["left_out"]}
    assert [*lessons] == [name for name in ALL if name not in left]
    wanted = "about nginx, and the gateway here is apache"
    assert left == ({"location": wanted, "slash": wanted} if variety == "apache" else {})
    for questions in lessons.values():
        for one in questions.values():
            assert one["answer"] in one["choices"]
            assert one["evidence"][0]
            assert one["hint"]


def test_what_a_client_gets_while_the_app_is_down(lessons: Lessons, variety: str) -> None:
    gateway = "apache" if variety == "apache" else "nginx"
    down = list(lessons["down"].values())
    once, often, file, page = (one["answer"] for one in down)
    assert once == "200, the answer of the app"
    status, _, who = often.partition(", ")
    assert (int(status) >= 500, who) == (True, f"a page of {gateway}")
    assert any(gateway in line for line in down[1]["evidence"][1:]), down[1]
    assert file == f"200, the file, from {gateway}"
    assert page not in ('"Shop"', "the app's traceback", "nothing: the body is empty")


def test_what_the_app_server_does_not_show_is_not_asked(
    printed: dict[str, Any], variety: str, lessons: Lessons
) -> None:
    steps = printed["lessons"][0]
    assert ("writes no steps down" in steps["words"]) is (variety == "uwsgi")
    forged = [text for text in lessons["steps"] if "X-Forwarded-For" in text]
    assert len(forged) == (0 if variety == "uwsgi" else 1)
    if forged:
        assert lessons["steps"][forged[0]]["answer"] == "127.0.0.1"
    longest = next(one for text, one in lessons["steps"].items() if "longest" in text)
    if variety == "uwsgi":
        assert "nginx, with the app behind it" in longest["choices"]
        assert "nginx" not in longest["choices"]
    file = next(text for text in lessons["missing"] if "/static/shop.css" in text)
    missed = (
        "nginx passes the request to the app's socket" if variety == "uwsgi" else "the worker calls the app"
    )
    assert lessons["missing"][file]["answer"] == missed


def test_an_asgi_app_is_a_part_of_the_waterfall_and_has_a_scope(lessons: Lessons, variety: str) -> None:
    """The gateway's part was the whole time, since the app had none."""
    if variety != "asgi":
        return
    longest = next(one for text, one in lessons["steps"].items() if "longest" in text)
    named = " ".join([*longest["choices"], *longest["evidence"]])
    assert "app" in named.replace(",", " ").split()
    said = " ".join(choice for one in lessons["steps"].values() for choice in one["choices"])
    assert "environ" not in said
    assert "start_response" not in said


def test_without_answers_the_json_gives_none_away(home: Path, variety: str) -> None:
    if variety != "apache":
        return
    done = portico("learn", "--route", "/", "--json", "--lesson", "steps", cwd=home)
    (lesson,) = json.loads(done.stdout)["lessons"]
    assert lesson["name"] == "steps"
    for one in lesson["questions"]:
        assert {*one} == {"text", "choices", "hint"}
    refused = portico("learn", "--lesson", "slash", cwd=home)
    assert refused.returncode == 2
    assert "slash is a lesson about nginx, and the gateway here is apache" in refused.stderr
    printed = portico("learn", "--route", "/", cwd=home)
    assert (
        "Lessons left out: location, slash (about nginx, and the gateway here is apache)." in printed.stdout
    )
