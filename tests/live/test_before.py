"""[release] before: a command runs once before each release; its failure leaves the old state serving."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Served, environment, portico, rewrite, served
from tests.support.process import is_alive, running
from tests.support.until import until

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open("database") as file:
        return [f"RELEASE {file.read()} {os.geteuid()}".encode()]
"""
MIGRATE = """
import os, signal, sys, time
with open("runs", "a") as file:
    file.write(f"{os.getcwd()} {os.environ['SCHEMA']} {os.geteuid()}\\n")
print("upgrade", os.environ["SCHEMA"], file=sys.stderr)
if os.path.exists("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while os.path.exists("held"):
    time.sleep(0.05)
if os.path.exists("broken"):
    sys.exit("no such column: price")
with open("database", "w") as file:
    file.write(os.environ["SCHEMA"])
"""
TOML = """
[workers]
count = 1
[release]
before = "python migrate.py"
[env]
SCHEMA = "1"
"""


@pytest.fixture
def site(_needs_nginx: None) -> Iterator[Served]:
    with served(
        {"app.py": APP.replace("RELEASE", "one"), "migrate.py": MIGRATE, "portico.toml": TOML}
    ) as run:
        yield run


def _runs(site: Served) -> list[str]:
    return (site.directory / "runs").read_text().splitlines()


def _said(site: Served) -> tuple[str, str]:
    """What the app of the serving release says of itself, and its user."""
    text, _, user = site.get().text.rpartition(" ")
    return text, user


def test_it_runs_once_before_each_release_and_its_failure_changes_nothing(site: Served) -> None:
    home: Path = site.directory
    text, user = _said(site)
    assert text == "one 1"
    assert _runs(site) == [f"{home} 1 {user}"]

    rewrite(home / "portico.toml", TOML.replace('"1"', '"2"'))
    rewrite(home / "app.py", APP.replace("RELEASE", "two"))
    done = portico("reload", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "before release 2: python migrate.py" in done.stdout
    site.until_said("before: upgrade 2")
    assert _said(site)[0] == "two 2"
    assert len(_runs(site)) == 2

    (home / "broken").touch()
    rewrite(home / "app.py", APP.replace("RELEASE", "three"))
    done = portico("reload", cwd=home)
    assert done.returncode == 1
    assert "python migrate.py failed with exit code 1: no such column: price" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert _said(site)[0] == "two 2"
    assert len(_runs(site)) == 3

    (home / "broken").unlink()
    rewrite(home / "portico.toml", TOML.replace("python migrate.py", "no-such-program --now"))
    done = portico("reload", cwd=home)
    assert done.returncode == 1
    assert "no-such-program --now: cannot be started" in done.stdout
    assert _said(site)[0] == "two 2"


def test_a_stop_ends_it(site: Served) -> None:
    (site.directory / "held").touch()
    with running(
        [sys.executable, "-m", "portico", "reload"], cwd=site.directory, env=environment(site.directory)
    ) as asked:
        until(lambda: len(_runs(site)) == 2)
        (migration,) = site.called("migrate.py")
        assert _said(site)[0] == "one 1"
        done = portico("stop", cwd=site.directory)
        assert done.returncode == 0, done.stderr
        asked.wait(60)
    assert not is_alive(migration)


def test_one_that_does_not_end_is_killed_before_the_next_begins(site: Served) -> None:
    command, home = [sys.executable, "-m", "portico", "reload"], site.directory
    assert portico("reload", cwd=home).returncode == 0
    (home / "held").touch()
    (home / "stubborn").touch()
    with running(command, cwd=home, env=environment(home)) as asked:
        until(lambda: len(_runs(site)) == 3)
        (first,) = site.called("migrate.py")
        assert portico("rollback", cwd=home).returncode == 0
        asked.wait(60)
    with running(command, cwd=home, env=environment(home)) as asked:
        until(lambda: len(_runs(site)) == 4)
        assert not is_alive(first)
        (home / "held").unlink()
        assert asked.wait(60) == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("flask db upgrade && flask seed", "'&&' is for a shell, and none reads this"),
        ("flask 'db", "a quotation mark has no other"),
        ("  ", "names no program"),
    ],
)
def test_what_is_no_command_line_is_refused(tmp_path: Path, command: str, said: str) -> None:
    (tmp_path / "portico.toml").write_text(f'app = "app:app"\n[release]\nbefore = "{command}"\n')
    (tmp_path / "app.py").write_text(APP)
    done = portico("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert "portico.toml:3: release.before: " in done.stderr
    assert said in done.stderr
