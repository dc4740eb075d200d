"""[release] after: a command runs once a release serves; its failure is said and changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import Served, environment, free_port, portico, rewrite, served
from tests.support.process import is_alive, running
from tests.support.until import until

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"RELEASE"]
"""
TELL = """
import os, signal, sys, time, urllib.request
if os.path.exists("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with urllib.request.urlopen(os.environ["URL"], timeout=30) as answer:
    said = answer.read().decode()
with open("told", "a") as file:
    file.write(f"{said} {os.getcwd()}\\n")
print("told", said)
while os.path.exists("held"):
    time.sleep(0.05)
if os.path.exists("broken"):
    sys.exit("no such room")
"""
TOML = """
[workers]
count = 1
[release]
after = "python tell.py"
"""


@pytest.fixture
def site(_needs_nginx: None) -> Iterator[Served]:
    port = free_port()
    url = {"URL": f"http://127.0.0.1:{port}/"}
    with served(
        {"app.py": APP.replace("RELEASE", "one"), "tell.py": TELL, "portico.toml": TOML}, port=port, env=url
    ) as run:
        yield run


def _told(site: Served) -> list[str]:
    path = site.directory / "told"
    return path.read_text().splitlines() if path.exists() else []


def test_it_runs_once_after_each_release_that_serves_and_its_failure_changes_nothing(site: Served) -> None:
    home: Path = site.directory
    until(lambda: _told(site) == [f"one {home}"], site.stderr)

    rewrite(home / "app.py", APP.replace("RELEASE", "two"))
    done = portico("reload", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "after release 2: python tell.py has ended well" in done.stdout
    site.until_said("after: told two")
    assert _told(site)[1:] == [f"two {home}"]

    (home / "broken").touch()
    rewrite(home / "app.py", APP.replace("RELEASE", "three"))
    done = portico("reload", cwd=home)
    assert done.returncode == 0, "a script that puts the old code back after a failure must not: it serves"
    assert "release 3 serves, but the command after it failed" in done.stdout
    assert "python tell.py failed with exit code 1: no such room" in done.stdout
    site.until_said("release 3 serves, but the command after it failed")
    assert site.get().text == "three"

    assert portico("rollback", cwd=home).returncode == 0
    assert site.get().text == "two"
    assert len(_told(site)) == 3

    rewrite(home / "app.py", "raise ValueError")
    assert portico("reload", cwd=home).returncode == 4
    assert len(_told(site)) == 3

    rewrite(home / "app.py", APP.replace("RELEASE", "five"))
    rewrite(home / "portico.toml", TOML.replace("python tell.py", "no-such-program"))
    done = portico("reload", "--json", cwd=home)
    assert done.returncode == 0
    assert "no-such-program: cannot be started" in json.dumps(json.loads(done.stdout.splitlines()[-1]))
    assert site.get().text == "five"


def test_a_stop_ends_it(site: Served) -> None:
    site.until_said("after release 1: python tell.py has ended well")
    (site.directory / "held").touch()
    with running(
        [sys.executable, "-m", "portico", "reload"], cwd=site.directory, env=environment(site.directory)
    ) as asked:
        until(lambda: len(_told(site)) == 2)
        (command,) = site.called("tell.py")
        assert portico("stop", cwd=site.directory).returncode == 0
        assert asked.wait(60) == 0
    site.process.wait(60)
    assert not is_alive(command)
    assert "after release 2: python tell.py was stopped: the site stops" in site.stderr()
    assert "the command after it failed" not in site.stderr()


def test_another_release_and_a_rollback_end_it(site: Served) -> None:
    """None runs for a release that no longer serves, also when it ignores SIGTERM, and each is said."""
    home: Path = site.directory
    until(lambda: len(_told(site)) == 1, site.stderr)
    site.until_said("after release 1: python tell.py has ended well")
    for name in ("held", "stubborn"):
        (home / name).touch()
    reloads = []
    with ExitStack() as stack:
        for number in (2, 3, 4):
            rewrite(home / "app.py", APP.replace("RELEASE", f"release {number}"))
            reload = [sys.executable, "-m", "portico", "reload"]
            output = stack.enter_context((home / f"reload{number}").open("w"))
            reloads.append(
                stack.enter_context(running(reload, cwd=home, env=environment(home), stdout=output))
            )
            site.until_said(f"release {number} serves")
            if number == 2:
                until(lambda: len(_told(site)) == 2, site.stderr)
                (first,) = site.called("tell.py")
        assert portico("rollback", cwd=home).returncode == 0
        until(lambda: not is_alive(first), site.stderr)
        for asked in reloads:
            assert asked.wait(60) == 0
    until(lambda: not site.called("tell.py"), site.stderr)
    assert site.get().text == "release 3"
    said = [(home / f"reload{number}").read_text() for number in (2, 3, 4)]
    assert "after release 2: python tell.py was stopped: release 3 serves" in said[0]
    assert "after release 3: waits for the end of the command after release 2" in said[1]
    assert "after release 3: python tell.py was" in said[1]  # stopped, or not started: it had 5 s to begin
    assert ": release 4 serves" in said[1]
    assert "after release 4: python tell.py was" in said[2]
    assert ": release 3 serves again" in said[2]
    assert "the command after it failed" not in site.stderr()
