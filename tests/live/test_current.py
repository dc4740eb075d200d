"""Releases in directories of their own and a link to the one that serves, started inside the link."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import Served, environment, portico, private_directory, served, write_files
from tests.support.until import until

APP = """
import os
from flask import Flask, render_template
app = Flask(__name__)

@app.get("/")
def index():
    return render_template("index.html", code="NAME", pid=os.getpid())
"""


def _release(home: Path, name: str) -> Path:
    made = home / "releases" / name
    page = f"code {{{{ code }}}} template {name} pid {{{{ pid }}}}"
    write_files(made, {"app.py": APP.replace("NAME", name), "templates/index.html": page})
    return made


def _in_current(home: Path) -> dict[str, str]:
    """What a shell has after `cd current`."""
    return environment(home) | {"PWD": str(home / "current")}


def _do(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return portico(*words, cwd=(home / "current").resolve(), env=_in_current(home))


def _point(home: Path, release: Path) -> None:
    (home / "next").symlink_to(release)
    (home / "next").rename(home / "current")


@contextmanager
def _site() -> Iterator[tuple[Path, Path, Served]]:
    with private_directory() as home:
        one, two = _release(home, "one"), _release(home, "two")
        _point(home, one)
        with served({}, "--workers", "2", directory=one, env=_in_current(home)) as run:
            yield home, two, run


def _kill_a_worker(home: Path) -> None:
    status = json.loads(_do(home, "status", "--json").stdout)
    (live,) = (one for one in status["releases"] if one["number"] == status["live"])
    before = _pids(home)
    os.kill(live["workers"][0]["pid"], signal.SIGKILL)
    until(lambda: len(_pids(home)) == 2 and _pids(home) - before, "another worker")


def _pids(home: Path) -> set[int]:
    status = json.loads(_do(home, "status", "--json").stdout)
    return {worker["pid"] for one in status["releases"] for worker in one["workers"]}


def _pages(run: Served) -> set[str]:
    return {run.get("/").text.partition(" pid ")[0] for _ in range(20)}


def test_started_in_a_link_that_is_moved_later() -> None:
    with _site() as (home, two, run):
        until(lambda: len(_pids(home)) == 2, "both workers")
        assert _pages(run) == {"code one template one"}
        _point(home, two)
        assert _pages(run) == {"code one template one"}, "a release stays in its own directory"
        _kill_a_worker(home)
        assert _pages(run) == {"code one template one"}, "a new worker, too"
        done = _do(home, "reload")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "release 2 serves" in done.stdout
        assert _pages(run) == {"code two template two"}
        assert _do(home, "rollback").returncode == 0
        assert _pages(run) == {"code one template one"}


def test_a_unit_exported_in_a_link_names_the_link() -> None:
    with private_directory() as home:
        _point(home, _release(home, "one"))
        unit = _do(home, "export", "systemd").stdout
        assert f"WorkingDirectory={home}/current" in unit
        assert f"PWD={home}/current" in unit
        assert "releases/one" not in unit
