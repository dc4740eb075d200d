"""Rules of one site: servers, redirects, pages and folders, by path or by a condition, behind each gateway."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support import Served, portico, served
from tests.support.until import until

HOST = "shop.example"
APP = """
from flask import Flask, jsonify, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
@app.route("/<path:rest>", methods=["GET", "POST"])
def index(rest=""):
    return jsonify(app="shop", path=request.path)
"""
SHOP = """
domains = ["shop.example", "other.example"]
[access."/s/secret"]
deny = ["127.0.0.0/8"]
[access."/elsewhere/secret"]
deny = ["127.0.0.0/8"]
[[route]]
path = "/elsewhere"
to = "http://127.0.0.1:{port}"
[[route]]
path = "/s/"
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
path = "/nobody"
to = "unix:{directory}/nobody.sock"
[[route]]
path = "/old"
to = "308 https://new.example"
[[route]]
path = "/moved"
to = "307 /here/%20?a=%24#x"
[[route]]
path = "/away"
to = "301 https://new.example/fixed"
[[route]]
path = "/gone"
to = "410 gone.html"
[[route]]
path = "/says"
to = "200 says.json"
[[route]]
path = "/elsewhere"
header = { X-Version = "2" }
to = "410 gone.html"
[[route]]
path = "/elsewhere"
header = { X-Version = "2", X-More = "*" }
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
cookie = { beta = "1" }
to = "http://127.0.0.1:{port}"
[[route]]
host = ["other.example"]
path = "/"
to = "http://127.0.0.1:{port}"
[[route]]
path = "/posts"
method = ["POST"]
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
path = "/shared"
share = "50%"
to = "http://127.0.0.1:{port}"
[[route]]
path = "/files/"
to = "./public/"
[[route]]
path = "/s/files/"
to = "./public/"
"""


class Echo(BaseHTTPRequestHandler):
    """A server that Portico does not run: answers with what it was asked, and a WebSocket with what it gets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.read(4))
            self.close_connection = True
            return
        body = json.dumps({"app": "echo", "path": self.path, "headers": dict(self.headers)}).encode()
        path, _, to = self.path.partition("?to=")
        self.send_response(302 if path == "/go" else 200)
        if path == "/go":
            self.send_header("Location", to or f"http://{self.headers['Host']}/there")
            self.send_header("Set-Cookie", "a=b; Path=/deep")
            self.send_header("Set-Cookie", "c=d; HttpOnly; path=/; Secure")
            self.send_header("Set-Cookie", "e=/path=/f")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        pass


class Shop:
    """The running site."""

    def __init__(self, run: Served) -> None:
        self.run = run

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        client: str = "127.0.0.1",
    ) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.run.port, timeout=60, source_address=(client, 0)
        )
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in ({"Host": HOST} | dict(headers or {})).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith("{") else {"text": text}, answer.headers
        finally:
            connection.close()

    def app(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """Which app answers."""
        found: str = self.ask(path, headers=headers)[1].get("app", "")
        return found

    def leads(self, path: str) -> str:
        """Where a redirect to a path of this site leads: httpd names the scheme and the host."""
        where: str = self.ask(path)[2]["Location"]
        return where.removeprefix(f"http://{HOST}") if self.run.is_apache else where


@pytest.fixture(scope="module")
def shop(front: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = SHOP.replace("{port}", str(server.server_port))
    files = {
        "app.py": APP,
        "portico.toml": said.replace("{directory}", "/tmp/portico-no-such"),
        "gone.html": "<h1>gone for good</h1>",
        "says.json": '{"app": "page"}',
        "public/a.txt": "a file",
        "public/.env": "secret",
    }
    try:
        with served(files, *front, "--workers", "1", wait=False) as run:
            made = Shop(run)
            until(lambda: _answers(made), run.stderr)
            yield made
    finally:
        server.shutdown()


def _answers(shop: Shop) -> bool:
    try:
        return shop.app("/") == "shop"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "shop"), ("/elsewhere", "echo"), ("/elsewhere/x", "echo"), ("/elsewheres", "shop"),
        ("/Elsewhere", "shop"), ("/s/x", "echo"), ("/sx", "shop"), ("/elsewhere/../x", "shop"),
        ("/elsewhere/%2e%2e/x", "shop"), ("/%65lsewhere/x", "echo"),
    ],
)  # fmt: skip
def test_the_path_decides_who_answers(shop: Shop, path: str, name: str) -> None:
    assert shop.app(path) == name


def test_a_path_reaches_the_server_byte_for_byte(shop: Shop) -> None:
    assert shop.ask("/elsewhere/a%2Fb//c%20;d?e=%20?f")[1]["path"] == "/elsewhere/a%2Fb//c%20;d?e=%20?f"
    assert shop.ask("/s/a%2Fb//c%20;d%3Fg?e=%20?f")[1]["path"] == "/a%2Fb//c%20;d%3Fg?e=%20?f"
    assert shop.ask("/s/?")[1]["path"] in ("/", "/?")


def test_a_stripped_prefix_comes_back_in_redirects_and_cookies(shop: Shop) -> None:
    status, _, headers = shop.ask("/s/go")
    assert (status, headers["Location"]) == (302, "/s/there")
    assert headers.get_all("Set-Cookie") == [
        "a=b; Path=/s/deep", "c=d; HttpOnly; path=/s/; Secure", "e=/path=/f",
    ]  # fmt: skip
    assert shop.leads("/s/go?to=/login") == "/s/login"
    assert shop.leads("/s/go?to=//other.example/x") == "//other.example/x"
    assert shop.leads("/s/go?to=http://other.example/x") == "http://other.example/x"
    assert shop.ask("/elsewhere/go?to=/x")[1]["path"] == "/elsewhere/go?to=/x"
    assert shop.leads("/s") == "/s/"
    assert shop.leads("/s?x=1") == "/s/?x=1"


@pytest.mark.parametrize("path", ["/%73/x", "/s/a/../../s/x", "/s/../s/x", "/s/%2e%2e/s/x", "/s/./x"])
def test_an_odd_spelling_cannot_make_the_guards_and_a_stripped_target_read_two_paths(
    shop: Shop, path: str
) -> None:
    assert shop.ask(path)[0] == 400


@pytest.mark.parametrize(
    "path",
    [
        "/s/secret%2f..%2fx", "/s/secret%5c..%5cx", "/x/../elsewhere/y", "/admin%2F..%2Felsewhere/x",
        "/elsewhere/..;/admin", "/elsewhere/x#/../y", "/s/x%2f%2e%2e%2fy",
    ],
)  # fmt: skip
def test_a_target_that_resolves_no_dots_gets_no_path_that_the_guards_read_otherwise(
    shop: Shop, path: str
) -> None:
    for more in ({}, {"X-Version": "2"}, {"X-Version": "2", "X-More": "1"}, {"Cookie": "beta=1"}):
        assert shop.ask(path, headers=more)[0] in (400, 410), more


@pytest.mark.parametrize(
    "path", ["/s/secret", "/elsewhere/secret", "/elsewhere/./secret/x", "/elsewhere/x/../secret"]
)
def test_the_guards_of_the_name_hold_on_every_way(shop: Shop, path: str) -> None:
    for more in ({}, {"X-Version": "2", "X-More": "1"}, {"Cookie": "beta=1"}, {"Host": "other.example"}):
        assert shop.ask(path, headers=more)[0] in (400, 403)


def test_the_client_cannot_say_who_it_is(shop: Shop) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    lies |= {"Remote-User": "root", "X-Auth-Request-User": "root", "X-Forwarded-Prefix": "/evil"}
    lies |= {"Forwarded": "for=6.6.6.6", "Connection": "X-Forwarded-For, X-Real-IP"}
    for path, prefix in (("/elsewhere", None), ("/s/x", "/s")):
        seen = shop.ask(path, headers=lies)[1]["headers"]
        told = {name: seen.get(name) for name in ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto")}
        assert told == {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Proto": "http"}
        assert (seen["Host"], seen["X-Forwarded-Host"]) == (HOST, HOST)
        assert (seen.get("X-Forwarded-Prefix") or None) == prefix
        assert not {"Remote-User", "X-Auth-Request-User", "Forwarded"} & seen.keys()


def test_a_server_gets_no_header_that_only_an_underscore_tells_from_another(shop: Shop) -> None:
    """Also behind an empty one of the same kind, which hides it from the patterns of Apache httpd."""
    spelled = dict.fromkeys(("X_Forwarded-For", "x_real_ip", "Remote_User", "X-Portico_Proxy"), "evil")
    lies = spelled | {"X-Forwarded_Host": "", "X_Forwarded_Proto": ""}
    ways: list[tuple[str, dict[str, str]]] = [
        ("/elsewhere/x", {}),
        ("/s/x", {}),
        ("/x", {"Cookie": "beta=1"}),
        ("/elsewhere/x", {"X-Version": "2", "X-More": "a"}),
    ]
    for path, more in ways:
        status, seen, _ = shop.ask(path, headers=more | lies)
        assert (status, seen["app"]) == (200, "echo"), path
        assert "evil" not in seen["headers"].values(), (path, seen)


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/elsewhere/x", {"X-Version": "22"}, "echo"),
        ("/elsewhere/x", {"X_Version": "2"}, "echo"),
        ("/elsewheres", {"X-Version": "2"}, "shop"),
        ("/x", {"Cookie": "a=b; beta=1"}, "echo"),
        ("/x", {"Cookie": "beta=10"}, "shop"),
        ("/x", {"Cookie": "xbeta=1"}, "shop"),
        ("/x", {"Cookie": "beta=0; beta=1"}, "shop"),
        ("/x", {"Host": "other.example"}, "echo"),
        ("/", {"Host": "OTHER.example"}, "echo"),
        ("/posts", {}, "shop"),
        ("/files/a.txt", {"Cookie": "beta=1"}, "echo"),
        ("/gone", {"Cookie": "beta=1"}, ""),
    ],
)  # fmt: skip
def test_of_equal_paths_the_rule_with_more_conditions_decides(
    shop: Shop, path: str, headers: dict[str, str], name: str
) -> None:
    assert shop.app(path, headers) == name


def test_more_conditions_win(shop: Shop) -> None:
    assert shop.ask("/elsewhere/x", headers={"X-Version": "2"})[0] == 410
    assert shop.ask("/elsewhere/x", headers={"X-Version": "2", "X-More": "a"})[1]["path"] == "/x"


def test_a_second_line_of_a_header_does_not_meet_a_condition(shop: Shop) -> None:
    head = "GET /elsewhere/x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n"
    head += "X-Version: 1\r\nX-Version: 2\r\n\r\n"
    assert b'"app": "echo"' in shop.run.raw(head.encode())


def test_a_method_chooses_and_the_body_goes_along(shop: Shop) -> None:
    status, seen, _ = shop.ask("/posts/one", "POST", b"x" * 100_000)
    assert (status, seen["app"], seen["path"]) == (200, "echo", "/one")


def test_own_paths_stay_where_they_are(shop: Shop) -> None:
    assert shop.ask("/-/health", headers={"Cookie": "beta=1"})[1]["text"].strip() == "ok"
    assert shop.ask("/-/errors/404.html", headers={"Cookie": "beta=1"})[0] == 404


def test_a_client_keeps_its_share(shop: Shop) -> None:
    def answers(number: int) -> set[str]:
        return {shop.ask(f"/shared/{turn}", client=f"127.0.1.{number}")[1]["app"] for turn in range(2)}

    seen = [answers(number) for number in range(1, 41)]
    assert all(len(one) == 1 for one in seen)
    assert 6 < sum(one == {"echo"} for one in seen) < 34


def test_redirects_pages_and_folders(shop: Shop) -> None:
    status, _, headers = shop.ask("/old/x%2Fy?y=1")
    assert (status, headers["Location"]) == (308, "https://new.example/old/x%2Fy?y=1")
    assert shop.leads("/moved/x?y=1") == "/here/%20?a=%24#x"
    status, _, headers = shop.ask("/away/x?y=1")
    assert (status, headers["Location"]) == (301, "https://new.example/fixed")
    for method in ("GET", "POST"):
        status, page, headers = shop.ask("/gone/x", method, b"")
        assert (status, page["text"]) == (410, "<h1>gone for good</h1>\n")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Type"].startswith("text/html")
    status, page, headers = shop.ask("/says")
    assert (status, page, headers["Content-Type"]) == (200, {"app": "page"}, "application/json")
    assert shop.ask("/files/a.txt")[1]["text"] == "a file"
    assert shop.ask("/s/files/a.txt")[1]["text"] == "a file"
    assert shop.ask("/files/.env")[0] == 404


def test_a_rule_that_finds_nobody_shows_its_page_for_its_path_alone(shop: Shop) -> None:
    status, page, _ = shop.ask("/nobody/x")
    assert status == (503 if shop.run.is_apache else 502)
    assert "<title>" in page["text"]
    assert shop.app("/") == "shop"


@pytest.mark.parametrize("path", ["/elsewhere/chat", "/s/chat"])
def test_a_websocket_reaches_a_server(shop: Shop, path: str) -> None:
    with socket.create_connection(("127.0.0.1", shop.run.port), 60) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        connection.sendall(head.encode())
        stream = connection.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        connection.sendall(b"four")
        assert stream.read(4) == b"four"


def test_one_answer_has_one_id_and_one_line(shop: Shop) -> None:
    _, seen, headers = shop.ask("/s/of-the-log")
    assert headers.get_all("X-Request-ID") == [seen["headers"]["X-Request-ID"]]

    def lines() -> list[dict[str, Any]]:
        done = portico("logs", "--json", "--no-follow", cwd=shop.run.directory)
        assert done.returncode == 0, done.stderr
        return [
            one for one in map(json.loads, done.stdout.splitlines()) if "/s/of-the-log" in str(one.get("uri"))
        ]

    until(lambda: [one["id"] for one in lines()] == headers.get_all("X-Request-ID"))
    assert lines()[0]["status"] == 200
