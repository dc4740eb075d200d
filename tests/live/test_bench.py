"""`portico bench`: a short real run, and that nothing of it is left."""

from __future__ import annotations

import html
import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from portico import __version__
from portico.measure.contenders import Words
from portico.measure.contenders import portico as as_portico
from portico.measure.model import Results, Route
from portico.measure.session import Order, Session
from portico.measure.verdict import changes
from portico.measure.wrk import wrk
from portico.project.gather import gather
from tests.support import AS_ROOT, environment, free_port, portico, private_directory, served, write_files
from tests.support.commands import start
from tests.support.process import command_of, is_alive
from tests.support.until import until

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt install wrk")
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(sum(range(WORK))).encode()]
WORK = 1000
"""
TOML = 'app = "app:app"\nrelease = "touch released"\n[processes]\nworker = "touch worked"\n[workers]\ncount = 1\n'
FIGURES = {"whole_us": ",.0f", "p50_ms": ",.1f", "p99_ms": ",.1f", "rate": ",.0f", "whole_mb": ",.0f"}
SHORT = ("--rounds", "2", "--connections", "4")


@pytest.fixture
def home() -> Any:
    with private_directory() as made:
        write_files(made, {"app.py": APP, "portico.toml": TOML})
        yield made


def test_servers_are_compared_and_nothing_of_the_site_is_done_twice(home: Path) -> None:
    report = home.parent / f"{home.name}.html"
    shown = ("--json", "--html", os.fspath(report))
    try:
        done = portico("bench", "--peers", "own,gunicorn,portico", *SHORT, *shown, cwd=home)
        assert done.returncode == 0, done.stderr
        page = report.read_text()
    finally:
        report.unlink(missing_ok=True)
    results = json.loads(done.stdout)["results"]
    _has_the_same_figures(page, msgspec.convert(results, Results))
    assert f"portico bench --peers own,gunicorn,portico {' '.join(SHORT)} --json --html {report}" in page
    assert f"Portico {__version__}, nginx " in page
    assert [one["path"] for one in results["routes"]] == ["/"]
    missing = {one["key"]: one["missing"] for one in results["contenders"]}
    assert missing == {
        "own": "neither Flask, Django with manage.py, nor ASGI",
        "gunicorn": "",
        "portico": "",
    }
    samples = results["samples"]
    assert [(one["contender"], one["round"]) for one in samples] == [
        ("gunicorn", 0), ("portico", 0), ("portico", 1), ("gunicorn", 1),
    ]  # fmt: skip
    assert all(one["requests"] and sum(one["cpu_us"].values()) and not one["failed"] for one in samples)
    assert {role for one in samples if one["contender"] == "portico" for role in one["cpu_us"]} == {
        "app", "control", "gateway",
    }  # fmt: skip
    stands = {one["key"]: one["slow_clients"] for one in results["contenders"]}
    assert stands == {"own": None, "gunicorn": False, "portico": True}
    assert {path.name for path in home.iterdir()} - {"__pycache__"} == {"app.py", "portico.toml"}
    assert "about " in done.stderr


def _has_the_same_figures(page: str, results: Results) -> None:
    for one in results.contenders:
        if one.missing:
            assert f"left out: {one.name}: {one.missing}" in html.unescape(page)
            continue
        for figure, form in FIGURES.items():
            found = results.spread(one.key, "/", lambda sample, name=figure: getattr(sample, name))  # type: ignore[misc]
            assert found is not None
            assert format(found.median, form) in page, figure


def test_code_of_another_directory_is_measured_at_the_same_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home / "other"
    write_files(other, {"app.py": APP.replace("1000", "40_000"), "portico.toml": TOML})
    for name, value in AS_ROOT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    words = Words(None, None, {})
    before, after = (gather(None, None, {}, release=code, alone=free_port()) for code in (str(other), ""))
    pair = [as_portico(before, words, other, "before"), as_portico(after, words, None, "after")]
    order = Order(
        app="app:app", ways=pair, candidates=[Route("/", "--route")], is_named=True, host="", rounds=2, slices=1,
        seconds=1, connections=4, start_seconds=120, limit_seconds=math.inf, run_together=True,
    )  # fmt: skip
    results = Session(order, "after", lambda _: None).run()
    assert not results.problems
    cpu = next(one for one in changes(results, "before", "after") if one.figure.startswith("CPU"))
    assert cpu.ratio.ratio < 1, "the old code does forty times as much"


def test_an_interrupt_ends_everything(home: Path) -> None:
    out, err = home / "out", home / "err"
    process = start(["bench", "--peers", "gunicorn", *SHORT], home, environment(home), out, err)
    until(lambda: "round 1 of 2: Gunicorn alone, GET /" in err.read_text(), err.read_text)
    below = psutil.Process(process.pid).children(recursive=True)
    assert any("gunicorn" in command_of(one) for one in below)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    until(lambda: not any(map(is_alive, below)), lambda: below)


def test_a_running_site_is_not_loaded_without_a_word() -> None:
    with served({"app.py": APP}) as run:
        done = portico("bench", cwd=run.directory)
        assert done.returncode == 2
        assert done.stderr.startswith("bench: app:app runs here: its clients wait longer meanwhile")
        assert "add --yes" in done.stderr
        assert portico("bench", run.url, cwd=run.directory).returncode == 2
        done = portico("bench", f"{run.url}/x?y=1", "--yes", *SHORT, "--json", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        assert [one["failed"] for one in json.loads(done.stdout)["results"]["samples"]] == [0, 0]
        words = ("bench", run.url, "--route", "/a", "--route", "/b?y=1", "--yes", *SHORT)
        done = portico(*words, "--json", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        samples = json.loads(done.stdout)["results"]["samples"]
        assert [(one["route"], one["failed"]) for one in samples] == [("/a", 0), ("/b?y=1", 0)] * 2
        assert "GET /b?y=1" in portico(*words, cwd=run.directory).stdout


def test_the_mix_of_the_log_is_asked_with_its_shares() -> None:
    with served({"app.py": APP}) as run:
        made = wrk(run.url, 1, 2, paths=["/a", "/a", "/b?x=1"])
        log = run.state / "access.log"
        until(lambda: log.read_text().count('"uri":"') >= made.requests, lambda: made)
        text = log.read_text()
        assert abs(text.count('"uri":"/a"') - 2 * text.count('"uri":"/b?x=1"')) <= 6
        done = portico("bench", "--yes", "--peers", "portico", *SHORT, "--json", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        results = msgspec.convert(json.loads(done.stdout)["results"], Results)
        mix, single = results.routes
        assert [(part.path, part.times) for part in mix.mix] == [("/a", 27), ("/b?x=1", 13)]
        assert single.path == "/a"
        assert [one.failed for one in results.of("portico", mix.path)] == [0, 0]
        assert not results.problems


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--html", "app.py"), "--html app.py: is not a report of portico bench, and stays as it is"),
        (("--route", "items"), '--route: "items" is not a path'),
        (("--peers", "apache"), '--peers: "apache" is not known'),
        (("--against", "no-such-commit"), '--against: "no-such-commit" is neither a directory nor a commit'),
        (
            ("http://127.0.0.1:1/", "--peers", "own"),
            "bench: a URL is measured as it is, so --peers has no meaning",
        ),
    ],
)
def test_a_wrong_word_is_one_error(home: Path, words: tuple[str, ...], said: str) -> None:
    done = portico("bench", *words, cwd=home)
    assert done.returncode == 2
    assert done.stderr.startswith(said)


def test_without_wrk_the_error_says_how_to_get_it(home: Path) -> None:
    done = portico("bench", cwd=home, env={"PATH": os.fspath(home)})
    assert done.returncode == 2
    assert "wrk is not installed" in done.stderr
    assert "apt install wrk" in done.stderr
