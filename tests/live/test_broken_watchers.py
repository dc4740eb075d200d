"""What looks beside the serving is broken on purpose, mended, and works again by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Served, portico, served
from tests.support.until import until

APP = """
from flask import Flask
app = Flask(__name__)

@app.get("/")
def home():
    return "home"
"""
TOML = '[log]\nsize = "1MiB"\nkeep = 2\n'


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": TOML}, "app:app") as run:
        yield run


def status(site: Served) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(portico("status", "--json", cwd=site.directory).stdout)
    return told


def failing(site: Served) -> list[str]:
    return [one["name"] for one in status(site)["watchers"]]


def test_a_log_that_cannot_be_put_aside_holds_up_no_other(site: Served) -> None:
    """The oldest is a directory: an error that once ended the rotation of all logs until a restart."""
    bad = site.state / "access.log.2"
    (bad / "in the way").mkdir(parents=True)
    for log in ("access.log", "app.log"):
        with (site.state / log).open("a") as file:
            file.write(("-" * 1023 + "\n") * 1025)
    name = f"the log {site.state / 'access.log'}"
    until(lambda: name in failing(site), site.stderr)
    shown = portico("status", cwd=site.directory).stdout
    assert f"failing    watching {name}: " in shown
    assert "next try at the next look" in shown
    until((site.state / "app.log.1").exists, site.stderr)
    (bad / "in the way").rmdir()
    bad.rmdir()
    until(Path(f"{site.state}/access.log.1").exists, site.stderr)
    until(lambda: failing(site) == [], site.stderr)
    site.until_said(f"watching {name} works again")


def test_a_watcher_that_ends_is_started_again(site: Served) -> None:
    """Nobody can ask how much room there is where no directory is."""
    home, away = site.state, site.state.with_name("away")
    home.rename(away)
    try:
        until(lambda: "the disk" in failing(site), site.stderr)
        (one,) = [one for one in status(site)["watchers"] if one["name"] == "the disk"]
        assert "No such file" in one["error"]
        assert one["since"] <= one["last"] < one["next_try"]
        assert site.get().status_code == 200
    finally:
        away.rename(home)
    until(lambda: failing(site) == [], site.stderr)
    site.until_said("watching the disk works again")
    assert site.stderr().count("watching the disk failed") == 1, "told once"
