"""Releases as a person makes them: another directory, a share first, and back again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import Served, environment, portico, private_directory, served, write_files
from tests.support.clients import Asked, Clients
from tests.support.until import until

APP = """
import time
from flask import Flask
app = Flask(__name__)
NAME = (open(__file__.replace("app.py", "name.txt")).read())

@app.route("/", methods=["GET", "POST"])
def index():
    return NAME

@app.get("/fail")
def fail():
    return NAME, (500 if NAME == "bad" else 200)
"""


@pytest.fixture(params=[(), ("--gateway", "apache")], ids=["nginx", "apache"])
def gateway(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The words that choose it."""
    chosen: tuple[str, ...] = request.param
    return chosen


def _release(home: Path, name: str) -> Path:
    made = home / "releases" / name
    made.mkdir(parents=True)
    (made / "app.py").write_text(APP)
    (made / "name.txt").write_text(name)
    return made


def _do(run: Served, *words: str) -> list[dict[str, Any]]:
    done = portico(*words, "--json", cwd=run.directory, env=environment(run.directory))
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_release_from_another_directory_and_back() -> None:
    with served({"app.py": APP, "name.txt": "one"}, "--workers", "2") as run, Clients(run.port) as load:
        two = _release(run.directory, "two")
        assert _do(run, "reload", "--path", str(two))[-1]["notice"] == "Switched"
        assert run.get("/").text == "two"
        run.until_all_have_loaded(4)  # else one of the second release's would have the name of the third
        (two / "name.txt").write_text("two again")
        assert _do(run, "reload")[-1]["notice"] == "Switched"
        assert run.get("/").text == "two again", "a reload stays where the code is"
        assert _do(run, "rollback")[-1] == {"notice": "RolledBack", "number": 2, "bad": 3}
        assert run.get("/").text == "two"
        done = portico("rollback", cwd=run.directory, env=environment(run.directory))
        assert done.returncode == 1
        assert "there is no release to go back to: the one before is kept for 5 min" in done.stdout
        time.sleep(0.5)
    assert load.failed == []
    assert set(load.answers) == {"one", "two", "two again"}


def _lost(run: Served, load: Clients) -> list[Asked]:
    """httpd closes kept connections while it reads its files again (docs/apache.md): those are not counted."""
    if not run.is_apache:
        return load.failed
    return [one for one in load.failed if one.is_first or one.status]


def test_a_link_that_is_switched_before_a_reload(gateway: tuple[str, ...]) -> None:
    with private_directory() as home:
        one, two = _release(home, "one"), _release(home, "two")
        write_files(one, {"static/app.1a.css": "old"})
        write_files(two, {"static/app.2b.css": "new"})
        (home / "current").symlink_to(one)
        with served({}, "current", *gateway, directory=home) as run, Clients(run.port) as load:
            (home / "next").symlink_to(two)
            (home / "next").rename(home / "current")
            time.sleep(0.3)
            assert run.get("/").text == "one"
            assert _do(run, "reload", "current")[-1]["notice"] == "Switched"
            assert run.get("/").text == "two"
            until(
                lambda: [run.get(f"/static/app.{name}.css").text for name in ("1a", "2b")] == ["old", "new"],
                "the files of both",
            )
            _do(run, "rollback", "current")
            assert run.get("/").text == "one"
        assert _lost(run, load) == []


def test_rollback_after_a_release_that_changed_the_gateway_too(gateway: tuple[str, ...]) -> None:
    files = {"app.py": APP, "name.txt": "one", "portico.toml": 'max_upload = "1MiB"\n'}
    with served(files, *gateway) as run:
        with Clients(run.port) as load:
            body = b"x" * (2 << 20)
            assert run.client.post(run.url, content=body).status_code == 413
            (run.directory / "portico.toml").write_text('max_upload = "4MiB"\n')
            _do(run, "reload")
            until(lambda: run.client.post(run.url, content=body).status_code == 200, "the new limit")
            _do(run, "rollback")
            until(lambda: run.client.post(run.url, content=body).status_code == 413, "the old limit")
        assert _lost(run, load) == []


def test_files_of_the_release_before_are_still_there() -> None:
    with served(
        {"app.py": APP, "name.txt": "one", "static/app.1a.css": "old", "static/both.css": "one"}
    ) as run:
        two = _release(run.directory, "two")
        write_files(two, {"static/app.2b.css": "new", "static/both.css": "two", "static/.secret": "x"})
        write_files(run.directory, {"static/.secret": "x"})
        _do(run, "reload", "--path", str(two))

        def texts() -> list[str]:
            return [run.get(f"/static/{name}").text for name in ("app.1a.css", "app.2b.css", "both.css")]

        until(lambda: texts() == ["old", "new", "two"], "the files of both")
        assert run.get("/static/missing.css").status_code == 404
        assert run.get("/static/.secret").status_code == 404
        assert run.get("/-/before/static/app.1a.css").status_code == 404
        assert "text/css" in run.get("/static/app.1a.css").headers["Content-Type"]


def test_no_such_release_leaves_the_old_one() -> None:
    with served({"app.py": APP, "name.txt": "one"}) as run:
        done = portico("reload", "--path", "nowhere", cwd=run.directory, env=environment(run.directory))
        assert done.returncode == 2
        assert "nowhere is not a directory" in done.stdout
        assert run.get("/").text == "one"


def test_canary_gets_its_share_until_it_is_promoted() -> None:
    with served({"app.py": APP, "name.txt": "one"}) as run:
        two = _release(run.directory, "two")
        steps = _do(run, "reload", "--path", str(two), "--canary", "20%")
        assert steps[-1]["notice"] == "CanaryServes"
        with Clients(run.port) as load:
            until(lambda: sum(load.answers.values()) > 300, "three hundred answers")
        assert load.failed == []
        share = load.answers["two"] / sum(load.answers.values())
        assert 0.15 < share < 0.25

        def told() -> tuple[Any, Any]:
            said = portico("status", "--json", cwd=run.directory, env=environment(run.directory))
            both = json.loads(said.stdout)["canary"]
            return both["canary"], both["live"]

        # nginx writes its log four times a second, and Portico reads it after that.
        until(lambda: told()[0]["requests"] >= load.answers["two"], "all requests of the canary")
        until(lambda: told()[1]["requests"] >= load.answers["one"], "all requests of the release")
        canary, live = told()
        assert canary["requests"] == load.answers["two"]
        assert canary["failed"] == live["failed"] == 0
        assert _do(run, "reload", "--promote")[-1]["notice"] == "Switched"
        with Clients(run.port) as load:
            time.sleep(0.5)
        assert set(load.answers) == {"two"}
        _do(run, "rollback")
        assert run.get("/").text == "one"


def test_canary_that_fails_is_seen_and_aborted() -> None:
    with served({"app.py": APP, "name.txt": "one"}) as run:
        bad = _release(run.directory, "bad")
        _do(run, "reload", "--path", str(bad), "--canary", "50%")
        with Clients(run.port, mix=("GET /fail",)) as load:
            until(lambda: load.answers.get("bad", 0) > 20, "answers of the canary")
        assert {one.status for one in load.failed} == {500}
        shown = f"{load.answers['bad']} failed"
        until(
            lambda: shown in portico("status", cwd=run.directory, env=environment(run.directory)).stdout,
            shown,
        )
        assert "canary" in portico("status", cwd=run.directory, env=environment(run.directory)).stdout
        assert _do(run, "reload", "--abort")[-1]["notice"] == "CanaryLeft"
        with Clients(run.port, mix=("GET /fail",)) as load:
            time.sleep(0.5)
        assert load.failed == []
        assert set(load.answers) == {"one"}
        done = portico("reload", "--canary", "7%", cwd=run.directory, env=environment(run.directory))
        assert done.returncode == 2
        assert "expected 10%, 20%, 30%, 40% or 50%" in done.stderr
