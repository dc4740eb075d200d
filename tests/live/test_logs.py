"""The one line, read back: filters, the app's words under their request, rotation without a lost line."""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Served, environment, portico, served
from tests.support.process import PIPE, running
from tests.support.until import PATIENCE_SECONDS, until

APP = """
import logging, sys, threading, time
from flask import Flask, request

app = Flask(__name__)
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("[%(request_id)s] %(message)s"))
logging.getLogger("shop").addHandler(handler)
print("the app is imported")

@app.get("/")
def index():
    return "hello"

@app.get("/api/words")
def words():
    print("printed", request.args["n"])
    app.logger.warning("warned %s", request.args["n"])
    logging.getLogger("shop").error("numbered %s", request.args["n"])
    sys.stderr.write("with ünïcödé\\n")
    return "said"

@app.get("/api/fail")
def fail():
    raise RuntimeError("a view that fails")

@app.get("/slow")
def slow():
    print("slow begins")
    time.sleep(float(request.args["seconds"]))
    return "slow"

@app.get("/elsewhere")
def elsewhere():
    thread = threading.Thread(target=print, args=("of no request",))
    thread.start(); thread.join()
    return "x"
"""


@pytest.fixture(scope="module")
def site(kind: tuple[str, str]) -> Iterator[Served]:
    files = {"app.py": APP, "portico.toml": '[[route]]\npath = "/nobody"\nto = "http://127.0.0.1:1"\n'}
    with served(files, "--log", "off", "--workers", "2", *kind) as run:
        yield run


def logged(run: Served, *words: str, least: int = 1) -> list[dict[str, Any]]:
    """What `portico logs --json` shows, once so many requests are there."""
    give_up = time.monotonic() + 90
    while True:
        done = portico("logs", "--no-follow", "--json", *words, cwd=run.directory)
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        if len([one for one in found if "uri" in one]) >= least:
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.2)


def of(run: Served, path: str) -> dict[str, Any]:
    """The one line of a new request."""
    answer = run.get(path)
    (found,) = logged(run, "--id", answer.headers["X-Request-ID"])
    return found


def test_the_line_says_everything(site: Served) -> None:
    line = of(site, "/slow?seconds=0.05")
    assert (line["method"], line["path"], line["uri"], line["status"]) == (
        "GET",
        "/slow",
        "/slow?seconds=0.05",
        200,
    )
    assert (line["client"], line["scheme"], line["protocol"]) == ("127.0.0.1", "http", "HTTP/1.1")
    assert (line["endpoint"], line["retries"], line["tls"]) == ("slow", 0, "")
    assert line["cache"] == ("" if site.is_apache else "MISS")  # httpd keeps no answers
    assert line["app_us"] >= 50_000
    assert line["queue_us"] is not None
    assert line["pid"] in {process.pid for process in site.processes()}
    assert line["thread"] >= 1
    assert line["bytes_in"] > 50
    assert line["bytes_out"] > 50
    assert line["connection"] > 0
    if not site.is_apache:  # httpd does not say them
        times = [float(line[f"{what}_seconds"]) for what in ("connect", "header", "response")]
        assert times == sorted(times)
    assert line["seconds"] >= 0.05


def test_what_the_app_writes_stands_under_its_request(site: Served) -> None:
    lines = [of(site, f"/api/words?n={n}") for n in (1, 2)]
    for n, line in enumerate(lines, 1):
        texts = [entry["text"] for entry in line["app"]]
        assert texts[0] == f"printed {n}"
        assert f"warned {n}" in texts[1]
        assert texts[2] == f"[{line['id']}] numbered {n}"
        assert texts[3] == "with ünïcödé"
        assert {entry["id"] for entry in line["app"]} == {line["id"]}


def test_requests_at_once_keep_their_words_apart(site: Served) -> None:
    def ask(n: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE_SECONDS)
        connection.request("GET", f"/api/words?n={n}")
        connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(100, 140)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def ours() -> list[dict[str, Any]]:
        shown = logged(site, "--path", "/api/words")
        return [one for one in shown if int(one["uri"].partition("=")[2]) >= 100]

    until(lambda: len(ours()) >= 40)
    found = ours()
    assert len(found) == 40
    for one in found:
        n = one["uri"].partition("=")[2]
        assert one["app"][0]["text"] == f"printed {n}"
        assert len(one["app"]) == 4


def test_a_traceback_stands_under_its_request(site: Served) -> None:
    line = of(site, "/api/fail")
    assert line["status"] == 500
    text = "\n".join(entry["text"] for entry in line["app"])
    assert "RuntimeError: a view that fails" in text
    done = portico("logs", "--no-follow", "--id", line["id"], cwd=site.directory)
    first, detail, *below = done.stdout.splitlines()
    assert " 500  GET " in first
    assert line["id"] in detail
    assert all(text.startswith("          | ") for text in below)
    assert any("RuntimeError: a view that fails" in text for text in below)


def test_words_of_no_request_stand_alone(site: Served) -> None:
    line = of(site, "/elsewhere")
    assert line["app"] == []

    def loose() -> list[str]:
        return [one["entry"]["text"] for one in logged(site) if "entry" in one]

    assert "of no request" in loose()
    until(lambda: loose().count("the app is imported") == 2)  # by each worker; the site is ready when one is


def test_complaints_of_the_gateway_stand_under_their_request(site: Served) -> None:
    answer = site.get("/nobody")
    assert answer.status_code == (503 if site.is_apache else 502)
    (line,) = logged(site, "--id", answer.headers["X-Request-ID"])
    words = "failed to make connection to backend" if site.is_apache else "Connection refused"
    assert words in line["complaints"][0]["text"]


@pytest.mark.of_nginx  # httpd says nothing of it
def test_nginx_complaints_stand_under_their_request(site: Served) -> None:
    answer = site.client.post(site.url + "/", content=b"x" * (17 << 20))
    assert answer.status_code == 413
    (line,) = logged(site, "--id", answer.headers["X-Request-ID"])
    assert line["method"] == "POST"  # nginx makes a GET of it on the way to the error page
    assert "client intended to send too large body" in line["complaints"][0]["text"]


def test_filters(site: Served) -> None:
    for path in ("/nothing/here", "/api/fail", "/slow?seconds=0.6"):
        of(site, path)  # each worker of nginx writes its lines in its own time
    failed = {one["status"] for one in logged(site, "--status", "5xx")}
    assert failed in ({500}, {500, 502}, {500, 503})  # that of a server that is not there
    assert {one["status"] for one in logged(site, "--status", "404,5xx")} >= {404, 500}
    slower = logged(site, "--slower", "500ms")  # on a busy machine others were slow, too
    assert "/slow" in {one["path"] for one in slower}
    assert min(one["seconds"] for one in slower) >= 0.5
    assert all(one["path"].startswith("/api/") for one in logged(site, "--path", "/api"))
    assert {one["method"] for one in logged(site, "--method", "get")} == {"GET"}
    assert len(logged(site, "-n", "1", "--path", "/slow")) == 1
    assert len(logged(site, "--since", "1h")) >= 3
    later = portico("logs", "--no-follow", "--since", "2100-01-01", cwd=site.directory)
    assert (later.returncode, later.stdout) == (0, "")
    assert "no such request" in later.stderr


@pytest.mark.parametrize("words", [("--status", "abc"), ("--slower", "5"), ("--since", "tomorrow")])
def test_bad_words_are_refused(site: Served, words: tuple[str, str]) -> None:
    done = portico("logs", *words, cwd=site.directory)
    assert done.returncode == 2
    assert f'{words[0]}: "{words[1]}"' in done.stderr


def test_following_ends_quietly(site: Served) -> None:
    command = [sys.executable, "-m", "portico", "logs", "--path", "/followed", "-n", "0"]
    env = environment(site.directory)
    with running(command, cwd=site.directory, env=env, stdout=PIPE, stderr=PIPE) as following:
        over = threading.Event()

        def ask() -> None:  # until it listens
            while not over.wait(0.2):
                site.client.get(site.url + "/followed")

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert following.stdout is not None
            assert "/followed" in following.stdout.readline()
        finally:
            over.set()
            asking.join()
            following.send_signal(signal.SIGINT)
        _, complaints = following.communicate(timeout=60)
        assert (following.returncode, complaints) == (0, "")


def test_log_off_shows_no_request(site: Served) -> None:
    site.get("/")
    assert "uri" not in site.stdout()


def test_nothing_was_ever_logged(tmp_path: Path) -> None:
    done = portico("logs", cwd=tmp_path)
    assert done.returncode == 1
    assert "portico run" in done.stderr


def test_a_log_that_was_removed_is_made_anew(kind: tuple[str, str]) -> None:
    with served({"app.py": APP}, *kind) as run:
        run.get("/")
        (run.state / "access.log").unlink()

        def is_logged() -> bool:
            run.get("/?anew")
            return "?anew" in portico("logs", "--no-follow", cwd=run.directory).stdout

        until(is_logged, lambda: list(run.state.iterdir()))


def test_rotation_loses_no_line(front: tuple[str, str]) -> None:
    """More than a megabyte of lines, twice, while requests go on; every id is there exactly once."""
    toml = '[log]\nsize = "1MiB"\nkeep = 50\n[workers]\ncount = 1\n'
    sent = Counter[str]()
    done = threading.Event()

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=PATIENCE_SECONDS)
        for n in range(1_000_000):
            if done.is_set():
                break
            if run.is_apache:  # it closes kept connections when it opens the new file, also under a request
                connection.close()
            path = f"/api/words?n={number}-{n}&" + "x" * 1500
            connection.request("GET", path)
            assert connection.getresponse().read() == b"said"
            sent[f"{number}-{n}"] += 1
            time.sleep(0.002)
        connection.close()

    with served({"app.py": APP, "portico.toml": toml}, *front) as run:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            until((run.state / "access.log.2").exists, lambda: list(run.state.iterdir()))
            time.sleep(0.5)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        found = logged(run, "--path", "/api/words", least=len(sent))
        ids = Counter(one["uri"].split("=")[1].partition("&")[0] for one in found)
        assert ids == sent
        assert all(len(one["app"]) == 4 for one in found)
        # What follows the file loses none either, but may be behind.
        until(
            lambda: counted(run) >= len(sent) and {one["id"] for one in found} <= shown(run),
            lambda: (counted(run), len(sent), len(shown(run))),
        )


def counted(run: Served) -> int:
    total: int = json.loads(portico("status", "--json", cwd=run.directory).stdout)["requests"]["total"]
    return total


def shown(run: Served) -> set[str]:
    """The ids of the lines on the terminal."""
    whole = run.stdout().rpartition("\n")[0]
    return {json.loads(line)["id"] for line in whole.splitlines() if line.startswith("{")}
