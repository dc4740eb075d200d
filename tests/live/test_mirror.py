"""Copies of requests: what they carry, which are none, and that nobody waits for the server that gets them."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import Served, end, private_directory, start, until_ready, write_files
from tests.support.until import until

pytestmark = pytest.mark.of_nginx  # httpd copies no requests

APP = """
import os
from flask import Flask, request
from portico import edge

app = Flask(__name__)

@app.post("/file")
@edge.upload_to_file
def file():
    return "a file" if request.environ.get("portico.upload") else "no file"

@app.get("/marker")
def marker():
    return request.headers.get("X-Mirrored", "none")

@app.route("/", methods=["GET", "POST"])
@app.route("/<path:rest>", methods=["GET", "POST"])
def index(rest=""):
    words = [request.environ["REQUEST_URI"], request.remote_addr, request.headers.get("X-Mirrored", "")]
    with open(os.path.join(os.path.dirname(__file__), "seen.txt"), "a") as file:
        file.write(" ".join(words) + "\\n")
    return "{name}"
"""
SITES = {
    "shop": 'domains = ["shop.example"]\nmirror = "http://127.0.0.1:{port}"\naccess."/secret".deny = ["127.0.0.1"]\n',
    "blog": 'domains = ["blog.example"]\nmirror = "api"\n',
    "rude": 'domains = ["rude.example"]\nmirror = "api"\n',
    "api": 'routed_by = ["blog"]\n',
}


class Slow(BaseHTTPRequestHandler):
    """The other server: it keeps what it was asked, and answers when it may."""

    asked: list[tuple[str, str, dict[str, str]]]
    may_answer: threading.Event

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, dict(self.headers)))
        self.may_answer.wait(60)
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        pass


class Sites:
    """The running sites, and the server that gets copies of one."""

    def __init__(self, run: Served, home: Path) -> None:
        self.run = run
        self.home = home
        Slow.asked, Slow.may_answer = [], threading.Event()

    def ask(
        self, host: str, *paths: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> list[tuple[int, str]]:
        """The answers to requests on one connection, one after the other.

        Debian's nginx 1.22 may close it between two of them when it has a new configuration: then on another one.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.run.port, timeout=30)
        made: list[tuple[int, str]] = []
        try:
            for path in paths:
                body = (b"x=1", b"x" * (3 << 20))[path == "/file"] if method == "POST" else None
                head = {"Host": host} | (headers or {})
                try:
                    connection.request(method, path, body, head)
                    answer = connection.getresponse()
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    if not made:
                        raise
                    connection.close()
                    connection.request(method, path, body, head)
                    answer = connection.getresponse()
                made.append((answer.status, answer.read().decode()))
        finally:
            connection.close()
        return made

    def seen(self, site: str) -> str:
        path = self.home / "sites" / site / "seen.txt"
        return path.read_text() if path.exists() else ""

    def has_copy(self, path: str) -> bool:
        return any(one[1] == path for one in Slow.asked)


@pytest.fixture(scope="module", params=["embedded", "system"])
def sites(request: pytest.FixtureRequest) -> Iterator[Sites]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with private_directory() as home:
        files = {f"sites/{name}/app.py": APP.replace("{name}", name) for name in SITES}
        for name, text in SITES.items():
            port = str(server.server_port)
            files[f"sites/{name}/portico.toml"] = f'name = "{name}"\n{text.replace("{port}", port)}'
        write_files(home, files)
        for name in SITES:
            (home / "sites" / name).chmod(0o777)
        run = start(home, "sites", "--workers", "1", "--nginx", request.param)
        try:
            until_ready(run, 120)
            made = Sites(run, home)
            for name in ("shop", "blog", "rude"):
                until(lambda name=name: made.ask(f"{name}.example", "/") == [(200, name)], run.stderr)  # type: ignore[misc]
            yield made
        finally:
            Slow.may_answer.set()
            end(run)
            server.shutdown()


def test_a_copy_says_what_the_app_is_told_and_nobody_waits_for_its_answer(sites: Sites) -> None:
    headers = {"Cookie": "a=1", "X-Forwarded-For": "198.51.100.66"}
    assert (
        sites.ask("shop.example", "/a%2Fb?x=1", "/second", "/third", headers=headers) == [(200, "shop")] * 3
    )
    until(lambda: sites.has_copy("/a%2Fb?x=1") and sites.has_copy("/third"), sites.run.stderr)
    found = next(one for one in Slow.asked if one[1] == "/a%2Fb?x=1")
    assert found[0] == "GET"
    told = found[2]
    assert (told["Host"], told["Cookie"], told["X-Mirrored"]) == ("shop.example", "a=1", "1")
    assert "198.51.100.66" not in json.dumps(told)


def test_what_is_refused_or_changes_something_is_not_copied(sites: Sites) -> None:
    assert sites.ask("shop.example", "/secret/x")[0][0] == 403
    assert sites.ask("shop.example", "/%73ecret/x")[0][0] == 403
    assert sites.ask("shop.example", "/-/copy")[0][0] == 404
    assert sites.ask("shop.example", "/post", method="POST") == [(200, "shop")]
    assert sites.ask("shop.example", "/last") == [(200, "shop")]
    until(lambda: sites.has_copy("/last"), sites.run.stderr)
    assert {one[0] for one in Slow.asked} == {"GET"}
    assert not any("secret" in one[1] or one[1] in ("/post", "/-/copy") for one in Slow.asked)


def test_a_site_gets_copies_of_those_that_it_names_alone(sites: Sites) -> None:
    assert sites.ask("rude.example", "/from-rude") == [(200, "rude")]
    assert sites.ask("blog.example", "/from-blog") == [(200, "blog")]
    until(lambda: "/from-blog 127.0.0.1 1\n" in sites.seen("api"), sites.run.stderr)
    assert "/from-rude" not in sites.seen("api")


def test_the_copy_leaves_the_settings_of_the_request_s_route_alone(sites: Sites) -> None:
    """The subrequest of a copy begins in the server, and shares its variables with the request: those count when a body
    has come.
    """
    assert sites.ask("shop.example", "/file", method="POST") == [(200, "a file")]


def test_no_client_says_that_its_request_is_a_copy(sites: Sites) -> None:
    marked = {"X-Mirrored": "1"}
    assert sites.ask("shop.example", "/marker", headers=marked) == [(200, "none")]
    assert sites.ask("rude.example", "/marker", headers={"x-mirrored": "2"}) == [(200, "none")]


def test_a_copy_is_not_copied_again(sites: Sites) -> None:
    """Servers that copy to each other would send a request round for ever."""
    assert sites.ask("shop.example", "/a-copy", headers={"X-Mirrored": "1"}) == [(200, "shop")]
    assert sites.ask("shop.example", "/no-copy") == [(200, "shop")]
    until(lambda: sites.has_copy("/no-copy"), sites.run.stderr)
    assert not sites.has_copy("/a-copy")


def test_more_copies_than_fit_are_not_sent_and_harm_nobody(sites: Sites) -> None:
    """The other server answers none of them: they hold as many connections as they may."""
    before = len(Slow.asked)
    paths = [f"/many/{number}" for number in range(100)]
    assert sites.ask("shop.example", *paths) == [(200, "shop")] * 100
    assert len(Slow.asked) - before <= 64
    Slow.may_answer.set()
    until(lambda: sites.ask("shop.example", "/after") and sites.has_copy("/after"), sites.run.stderr)
    Slow.may_answer = threading.Event()
