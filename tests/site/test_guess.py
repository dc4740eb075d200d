"""What an app is likely to be called, before it is imported; a wrong guess costs time and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.project.expected import expected, keep, moved
from portico.reading import OURS
from portico.site.facts import AppFacts
from portico.site.guess import guess
from portico.values import AppRef


@pytest.mark.parametrize(
    ("text", "said", "found"),
    [
        ("app = Flask(__name__)", "", ("app", "wsgi")),
        ("application: Flask = Flask(__name__)", "", ("application", "wsgi")),
        ("application = middleware(app)\napp = Flask(__name__)", "", ("app", "wsgi")),
        ("def create_app(name='x'):\n    app = Flask(name)\n    return app", "", ("create_app()", "wsgi")),
        ("def app(environ, start_response): ...", "", ("app", "wsgi")),
        ("app = FastAPI()", "", ("app", "asgi")),
        ("application = get_asgi_application()", "", ("application", "asgi")),
        ("async def app(scope, receive, send): ...", "app", ("app", "asgi")),
        ("def create_app(): ...", "create_app", ("create_app()", "wsgi")),
        ("def shop(environ, start_response): ...", "shop", ("shop", "wsgi")),
        ("def shop(env, start): ...", "shop", ("shop", "wsgi")),
        ("def make(x=1): ...", "make('y')", ("make('y')", "wsgi")),
        ("from other import *", "", None),
        ("    app = indented()\nif app == 1: pass", "", None),
    ],
)
def test_the_app_is_guessed_from_the_text(text: str, said: str, found: tuple[str, str] | None) -> None:
    assert guess(text, said) == found


def test_the_answers_of_the_last_time_are_expected_of_the_same_app_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    app, facts = AppRef.parse("shop:app"), AppFacts("shop:app", str(tmp_path), "asgi")
    assert expected(app, tmp_path, str(state), OURS) is None
    keep(str(state), app, str(tmp_path), facts)
    assert expected(app, tmp_path, str(state), OURS) == facts
    assert expected(None, tmp_path, str(state), OURS) is None
    (next_release := tmp_path / "2").mkdir()
    assert expected(app, next_release, str(state), OURS) == AppFacts("shop:app", str(next_release), "asgi")
    (state / "facts.json").write_text('{"app": 1}')
    assert expected(app, tmp_path, str(state), OURS) is None
    (tmp_path / "shop.py").write_text("app = Quart()")
    assert expected(app, tmp_path, str(state), OURS) == facts


def test_a_release_in_another_directory_is_expected_to_answer_as_the_one_before() -> None:
    facts = AppFacts(
        "shop:app", "/srv/1", downloads={"/srv/1/instance": "the app's instance folder", "/srv/10": "x"}
    )
    there = moved(facts, "/srv/1", "/srv/2")
    assert there.directory == "/srv/2"
    assert there.downloads == {"/srv/2/instance": "the app's instance folder", "/srv/10": "x"}
