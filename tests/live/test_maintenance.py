"""`portico maintenance`: who gets in, what the others are told, and what it outlives."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, portico, served
from tests.support.until import until

APP = """\
from flask import Flask, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
def index():
    return "open " + request.get_data(as_text=True)
"""
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def run(kind: tuple[str, str]) -> Iterator[Served]:
    with served({"app.py": APP, "static/a.txt": "static"}, *kind) as made:
        yield made


@pytest.fixture
def closed(run: Served) -> Iterator[Served]:
    _on(run, "--message", 'back at <5> & "soon" <!--# echo var="uri" -->')
    yield run
    assert portico("maintenance", "off", cwd=run.directory).returncode == 0
    assert run.get("/").text == "open "


def test_the_page_says_the_message_as_text_whatever_is_in_it(closed: Served) -> None:
    page = closed.get("/any/path", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["retry-after"]) == (503, "60")
    assert "back at &lt;5&gt; &amp; &quot;soon&quot; &lt;!--# echo" in page.text
    assert "Closed for maintenance" in page.text
    assert page.headers["cache-control"] == "no-store"
    answer = closed.get("/", headers=JSON)
    error = answer.json()["error"]
    assert error["detail"] == 'back at <5> & "soon" <!--# echo var="uri" -->'
    assert error["request_id"] == closed.line(answer)["id"]
    assert closed.client.post(closed.url, content="x").status_code == 503


def test_its_answers_are_no_failures(closed: Served) -> None:
    def counts() -> dict[str, int]:
        told: dict[str, int] = json.loads(portico("status", "--json", cwd=closed.directory).stdout)[
            "requests"
        ]
        return told

    before = counts()
    answer = closed.get("/counted")
    assert answer.status_code == 503
    closed.line(answer)  # what the tests before this one left in nginx's buffers is counted, too
    until(lambda: counts()["maintenance"] > before["maintenance"], counts)
    assert counts()["failed"] == before["failed"]
    logs = portico("logs", "--no-follow", "--json", "--path", "/counted", cwd=closed.directory).stdout
    assert json.loads(logs.splitlines()[-1])["outcome"] == "maintenance"
    metrics = 'portico_requests_total{route="(gateway)",status="maintenance"} '

    def told() -> str:
        return portico("metrics", cwd=closed.directory).stdout

    until(lambda: metrics in told() and f"{metrics}0" not in told(), told)
    assert 'route="(gateway)",status="5xx"} 0' in told()


def test_health_asks_the_app_and_files_are_served(closed: Served) -> None:
    assert closed.get("/-/health").text.strip() == "ok"  # a line, where a file has the word
    assert closed.get("/static/a.txt").text == "static"
    assert closed.get("/-/errors/message.html").status_code == 404


def test_it_outlives_a_reload_of_the_app_and_a_restart_of_the_gateway(closed: Served) -> None:
    assert portico("reload", cwd=closed.directory).returncode == 0
    assert closed.get("/").status_code == 503
    back = f"{'apache' if closed.is_apache else 'nginx'} is back"
    before = closed.stderr().count(back)
    closed.master().kill()
    assert _status_when_it_answers(closed) == 503
    until(lambda: closed.stderr().count(back) > before, closed.stderr)
    shown = portico("status", cwd=closed.directory).stdout
    assert "maintenance" in shown
    assert "back at <5>" in shown


def test_who_is_allowed_gets_through_with_method_and_body(closed: Served) -> None:
    _on(closed, "--allow", "127.0.0.0/30", "--allow", "2001:DB8::0001")
    assert closed.client.post(closed.url, content="in").text == "open in"
    assert closed.get("/nothing").status_code == 404
    _on(closed, "--allow", "127.0.0.9")
    assert closed.get("/").status_code == 503


@pytest.mark.parametrize(
    ("allow", "words"), [("office", "'office' is not an address"), ("10.0.0.0/8", "more than 256")]
)
def test_what_cannot_be_allowed_is_refused(run: Served, allow: str, words: str) -> None:
    done = portico("maintenance", "on", "--allow", allow, cwd=run.directory)
    assert done.returncode == 1
    assert words in done.stderr
    assert run.get("/").status_code == 200


def test_a_page_of_your_own_includes_the_message(kind: tuple[str, str]) -> None:
    page = '<p>own: <!--#include virtual="/-/errors/message.html" --></p>'
    toml = 'app = "app:app"\n[errors]\npages = "errors"\n'
    with served({"app.py": APP, "portico.toml": toml, "errors/maintenance.html": page}, *kind) as run:
        _on(run, "--message", "a & b")
        assert run.get("/", headers={"Accept": "text/html"}).text.strip() == "<p>own: a &amp; b</p>"
        assert run.get("/", headers=JSON).json()["error"]["detail"] == "a & b"


def test_a_stop_ends_it(kind: tuple[str, str]) -> None:
    with served({"app.py": APP}, *kind) as run:
        _on(run)
        runtime = run.runtime
        assert run.get("/", headers=JSON).json()["error"]["detail"].startswith("This site is being worked on")
        run.stop()
        assert not list(runtime.glob("*"))


def _on(run: Served, *words: str) -> None:
    done = portico("maintenance", "on", *words, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("closed: ")


def _status_when_it_answers(run: Served) -> int:
    def status() -> int:
        try:
            return httpx.get(run.url, timeout=60).status_code
        except httpx.HTTPError:
            return 0

    return until(status, run.stderr)


def test_who_looks_at_the_terminal_is_told(run: Served) -> None:
    _on(run, "--message", "new cellar", "--allow", "192.0.2.1")
    assert portico("maintenance", "off", cwd=run.directory).returncode == 0
    assert portico("pause", cwd=run.directory).returncode == 0
    assert portico("resume", cwd=run.directory).returncode == 0
    for words in (
        "closed for maintenance: new cellar; let in: 192.0.2.1\n",
        "maintenance is over\n",
        "paused: requests wait, ",
        "resumed\n",
    ):
        run.until_said(words)
