"""Workers are replaced by count and by memory, and no client notices."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support import Served, rewrite, served
from tests.support.until import PATIENCE_SECONDS, until

APP = """
import os
from flask import Flask
app = Flask(__name__)
kept = []

@app.get("/")
def index():
    return str(os.getpid())

@app.get("/leak")
def leak():
    kept.append(b"x" * (5 << 20))
    return str(os.getpid())
"""


def _ask_from_four_clients(run: Served, path: str, times: int) -> list[tuple[int, str]]:
    def client(_: int) -> list[tuple[int, str]]:
        with httpx.Client(base_url=run.url, timeout=60) as own:
            answers = [own.get(path) for _ in range(times)]
        return [(answer.status_code, answer.text) for answer in answers]

    with ThreadPoolExecutor(4) as pool:
        return [answer for answers in pool.map(client, range(4)) for answer in answers]


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_recycling_by_count_loses_no_request(server: str) -> None:
    words = ("--workers", "2", "--workers-max-requests", "40", "--workers-server", server)
    with served({"app.py": APP}, *words) as run:
        answers, give_up = list[tuple[int, str]](), time.monotonic() + PATIENCE_SECONDS
        while len({pid for _, pid in answers}) <= 3:  # a worker serves on until its successor has the app
            assert time.monotonic() < give_up, "nobody was recycled"
            answers += _ask_from_four_clients(run, "/", 25)
    assert {status for status, _ in answers} == {200}


def test_app_that_leaks_is_recycled_without_a_lost_request() -> None:
    with served({"app.py": APP}, "--workers", "2", "--workers-max-memory", "150MiB") as run:
        answers, give_up = list[tuple[int, str]](), time.monotonic() + PATIENCE_SECONDS
        while len({pid for _, pid in answers}) <= 2:  # whoever watches the memory looks when there is time
            assert time.monotonic() < give_up, "nobody was recycled"
            answers += _ask_from_four_clients(run, "/leak", 10)
    assert {status for status, _ in answers} == {200}


def test_code_that_breaks_on_the_disk_ends_nobody_who_serves() -> None:
    with served({"app.py": APP}, "--workers", "2") as run:
        pids = _two_workers(run)
        (run.directory / "app.py").write_text("import nothing_like_that\n")
        os.kill(pids.pop(), signal.SIGKILL)
        said = "could not load the app; the workers that loaded it keep serving"
        until(lambda: (run.get("/").raise_for_status(), said in run.stderr())[1], run.stderr)
        assert {run.get("/").text for _ in range(20)} == {str(pid) for pid in pids}
        assert "ModuleNotFoundError" in run.stderr()
        rewrite(run.directory / "app.py", APP)
        assert len(_two_workers(run)) == 2


def _two_workers(run: Served) -> set[int]:
    """The pids that answer, as soon as both do."""
    give_up, seen = time.monotonic() + PATIENCE_SECONDS, set[int]()
    while len(seen) < 2:
        assert time.monotonic() < give_up, run.stderr()
        seen = {int(text) for _, text in _ask_from_four_clients(run, "/", 10)}
    return seen
