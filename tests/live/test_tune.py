"""`portico tune`: short real measurements, and what it writes. `python -m bench.tune` has five whole ones."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from portico.measure.contenders import Words
from portico.measure.tune.model import Candidate
from portico.measure.tune.trial import Trial, tried
from portico.project.gather import gather
from tests.support import AS_ROOT, environment, free_port, portico, private_directory, write_files
from tests.support.process import PIPE, command_of, is_alive, running
from tests.support.until import PATIENCE_SECONDS, until

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt install wrk")
APP = """
import pathlib, time

def app(environ, start_response):
    path, headers = environ["PATH_INFO"], [("Content-Type", "text/plain")]
    if path == "/late":
        time.sleep(1.5)
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return iter(lambda: time.sleep(0.1) or b"data: x\\n\\n", b"")
    if path == "/prices":
        headers.append(("Cache-Control", "public, max-age=60"))
        sum(range(100_000))
    if path.startswith(("/assets/", "/public/")):
        if path.endswith("z.txt"):
            start_response("403 Forbidden", headers)
            return [b"no"]
        start_response("200 OK", [("Content-Type", "text/css" if path.endswith("css") else "text/plain")])
        return [pathlib.Path(__file__).with_name(path[1:].split("/")[0]).joinpath(path.split("/")[2]).read_bytes()]
    start_response("200 OK", headers)
    return [b"hello"]
"""
FILES = {
    "app.py": APP,
    "assets/style.css": "a {}",
    "assets/z.txt": "x",
    "public/style.css": "b {}",
    "public/b.txt": "b",
}
SHORT = ("--rounds", "2", "--connections", "4")


@pytest.fixture
def home() -> Any:
    with private_directory() as made:
        write_files(made, FILES)
        yield made


def test_a_page_that_runs_out_of_time_gets_more_and_the_old_text_stays(home: Path) -> None:
    old = '# shop\napp = "app:app"\nrequest_timeout = "1s"  # as before\nworkers = 1\n'
    (home / "portico.toml").write_text(old)
    shutil.rmtree(home / "assets")
    shutil.rmtree(home / "public")
    words = ("tune", "--route", "/late", *SHORT, "--json")
    done = portico(*words, "--apply", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (one,) = found["tuned"]["outcomes"]
    assert (one["candidate"]["value"], one["before"], one["after"]) == ("4s", 0.0, 100.0)
    assert found["applied"]
    assert '-request_timeout = "1s"  # as before' in found["diff"]
    assert (home / "portico.toml").read_text() == old.replace('"1s"', '"4s"')
    assert Path(found["saved"]).read_text() == old
    assert {path.name for path in home.iterdir()} - {"__pycache__"} == {
        "app.py", "portico.toml", Path(found["saved"]).name,
    }  # fmt: skip
    assert not [one for one in psutil.Process().children() if "portico" in command_of(one)]


def test_a_page_that_its_own_route_ends_is_advice_with_its_place(home: Path) -> None:
    """No copy waits with a higher `request_timeout`, which would not count."""
    own = '[routes."/late"]\ntimeout = "1s"\n'
    write_files(home, {"portico.toml": f'app = "app:app"\nrequest_timeout = "3s"\nworkers = 1\n{own}'})
    shutil.rmtree(home / "assets")
    shutil.rmtree(home / "public")
    done = portico("tune", "--route", "/late", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    tuned = json.loads(done.stdout)["tuned"]
    assert tuned["outcomes"] == []
    (advice,) = tuned["advice"]
    assert advice["line"] == "GET /late"
    assert "is ended after 1s (504) by the timeout of its own route" in advice["why"]
    assert "portico.toml:5" in advice["why"]
    assert "waiting for up to" not in done.stderr


def test_the_benchmark_of_tune_leaves_no_program_behind_when_it_is_ended(home: Path) -> None:
    """It measures in processes of other sessions, which do not get the signal."""
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-m", "bench.tune", "too many workers"]
    env = environment(home) | {"TMPDIR": os.fspath(home)}
    with running(argv, cwd=root, env=env, stdout=PIPE) as program:
        here = psutil.Process(program.pid)
        found = until(lambda: _with_gateway(here.children(recursive=True)), "no copy started")
        program.terminate()
        assert program.wait(PATIENCE_SECONDS) == 128 + signal.SIGTERM
    assert [one for one in found if is_alive(one)] == []
    assert not list(home.glob("tune-*"))


def _with_gateway(below: list[psutil.Process]) -> list[psutil.Process]:
    """All of them, as soon as a gateway is among them."""
    names = []
    for one in below:
        with suppress(psutil.NoSuchProcess):
            names.append(one.name())
    return below if "nginx" in names else []


def test_what_the_app_declares_public_costs_less_from_the_cache(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(home, {"portico.toml": 'app = "app:app"\nworkers = 1\n[cache]\nsize = "0B"\n'})
    for name, value in AS_ROOT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    trial = Trial(
        found=gather(None, None, {}, alone=free_port()), words=Words(None, None, {}), host="", health="/", rounds=3,
        slices=1, seconds=1, connections=4, start_seconds=120, limit_seconds=math.inf,
    )  # fmt: skip
    cache = Candidate(("cache", "size"), "256MiB", "CPU µs a request", "/prices", "")
    (one,), (results,) = tried(trial, [cache], lambda _: None)
    assert not results.problems
    assert one.is_kept, one
    assert one.after < one.before / 2


def test_a_folder_is_proposed_only_if_everybody_may_have_all_of_it(home: Path) -> None:
    """And a site without anything to gain is told so, and nothing is written."""
    write_files(home, {"portico.toml": 'app = "app:app"\n[static]\n"/public/" = "public"\n'})
    done = portico("tune", "--route", "/", *SHORT, "--apply", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nothing to gain was found: no rule applies"), done.stdout
    assert 'static."/assets/" = "assets": not tried: the app\'s GET /assets/z.txt answers 403' in " ".join(
        done.stdout.split()
    )
    assert "public" not in done.stdout
    assert "looking at GET /" in done.stderr
    assert not list(home.glob("portico.toml.*"))


def test_a_route_that_streams_for_ever_is_one_error(home: Path) -> None:
    write_files(home, {"portico.toml": 'app = "app:app"\nrequest_timeout = "1s"\n'})
    done = portico("tune", "--route", "/events", cwd=home)
    assert done.returncode != 0
    assert "--route: GET /events: the answer does not end" in done.stderr, done.stderr


def test_a_link_is_refused_before_anything_is_measured(home: Path) -> None:
    write_files(home, {"real.toml": 'app = "app:app"\n'})
    (home / "portico.toml").symlink_to("real.toml")
    done = portico("tune", "--route", "/", *SHORT, "--apply", cwd=home)
    assert done.returncode == 2
    assert "portico.toml: cannot be written" in done.stderr, done.stderr
    assert "looking at" not in done.stderr


def test_wrong_words_are_one_error(home: Path) -> None:
    done = portico("tune", "--route", "items", cwd=home)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, '--route: "items" is not a path')
    done = portico("tune", cwd=home, env={"PATH": os.fspath(home)})
    assert done.returncode == 2
    assert done.stderr.startswith("tune: wrk is not installed")
