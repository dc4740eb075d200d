"""Processes of httpd that are ended while they have a request: after a kill -9 of their master, and old ones."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from portico.run.gateway.httpd.program import HTTPD
from portico.run.gateway.workers import leaving
from tests.support import Served, environment, portico, served
from tests.support.process import is_alive
from tests.support.until import until

APP = """
import pathlib, time

def app(environ, start):
    if environ["PATH_INFO"] == "/slow":
        pathlib.Path("begun").touch()
        while not pathlib.Path("go").exists():
            time.sleep(0.05)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"from the app"]
"""


def _master(run: Served) -> int:
    return int((run.runtime / "httpd.pid").read_text())


def test_a_killed_httpd_is_back_while_its_orphans_finish_their_requests() -> None:
    with (
        served({"app.py": APP}, "--gateway", "apache", "--request-timeout", "120s", "--workers", "2") as run,
        ThreadPoolExecutor(1) as pool,
    ):
        old = psutil.Process(_master(run))
        orphans = old.children()
        assert orphans
        answer = pool.submit(run.get, "/slow")
        until((run.directory / "begun").exists, "the app was asked")
        try:
            os.kill(old.pid, signal.SIGKILL)
            run.until_said("apache is back")
            assert _master(run) != old.pid
            assert run.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").endswith(
                b"from the app"
            )
            assert not answer.done()
        finally:
            (run.directory / "go").touch()
        assert answer.result(60).text == "from the app"
        until(lambda: not any(is_alive(orphan) for orphan in orphans), "an orphan stays")
        time.sleep(0.5)
        assert "Address already in use" not in run.stderr()
        assert run.stderr().count("apache is back") == 1, run.stderr()


def test_an_old_worker_of_httpd_ends_at_once() -> None:
    """What ends those that are too many (`run.gateway.old`)."""
    files = {"app.py": APP, "portico.toml": 'max_upload = "1MiB"\n'}
    with served(files, "--gateway", "apache", "--workers", "2") as run, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(run.raw, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            until((run.directory / "begun").exists, "the app was asked")
            (run.directory / "portico.toml").write_text('max_upload = "2MiB"\n')
            done = portico("reload", cwd=run.directory, env=environment(run.directory))
            assert done.returncode == 0, done.stdout + done.stderr
            (old,) = until(lambda: leaving(HTTPD, _master(run)), "the old worker")
            os.kill(old, HTTPD.ends_worker)
            until(lambda: not psutil.pid_exists(old), "it stays")
            assert answer.result(60) == b""
        finally:
            (run.directory / "go").touch()
        assert run.get("/").text == "from the app"
