"""Several apps on one name, told apart by path: each keeps its release, its limits and its failures."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import end, portico, private_directory, start, until_ready, write_files
from tests.support.until import until

pytestmark = pytest.mark.of_nginx  # httpd leads to no other site

HOST = "shop.example"
APP = """
from flask import Flask, jsonify, make_response, redirect, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
@app.route("/<path:rest>", methods=["GET", "POST"])
def index(rest=""):
    return jsonify(
        app="{name}", path=request.path, raw=request.environ["REQUEST_URI"], prefix=request.script_root,
        host=request.host, scheme=request.scheme, client=request.remote_addr, size=len(request.get_data()),
        headers=dict(request.headers),
    )

@app.get("/go")
@app.get("/api/go")
def go():
    answer = make_response(redirect(request.args.get("to", "/login")))
    answer.set_cookie("session", "1")
    return answer

@app.get("/cached")
@app.get("/api/cached")
def cached():
    answer = make_response("{name}")
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer
"""
SOCKETS = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": "live " + message["text"]})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": ("live " + scope["path"]).encode()})
"""
SHOP = """
domains = ["shop.example", "other.example"]
name = "shop"
[access."/api/secret"]
deny = ["127.0.0.0/8"]
[access."/s/secret"]
deny = ["127.0.0.0/8"]
[[route]]
path = "/api/"
to = "api"
[[route]]
path = "/s/"
to = "stripped"
strip = true
[[route]]
path = "/live/"
to = "live"
[[route]]
path = "/elsewhere"
to = "http://127.0.0.1:{port}"
[[route]]
path = "/elsewhere/short"
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
path = "/nobody"
to = "nobody"
[[route]]
path = "/old"
to = "308 https://new.example"
[[route]]
path = "/gone"
to = "410 gone.html"
[[route]]
path = "/api/"
header = { X-Version = "2" }
to = "stripped"
[[route]]
path = "/api/"
header = { X-Version = "2", X-More = "*" }
to = "http://127.0.0.1:{port}"
[[route]]
cookie = { beta = "1" }
to = "stripped"
[[route]]
host = ["other.example"]
path = "/"
to = "stripped"
[[route]]
path = "/posts"
method = ["POST"]
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
path = "/shared"
share = "50%"
to = "stripped"
[[route]]
path = "/files/"
to = "./public/"
"""
API = """
name = "api"
mount = "/api"
routed_by = ["shop"]
max_upload = "2MiB"
[limits]
rate = "1000/second"
"""


class Echo(BaseHTTPRequestHandler):
    """A server that Portico does not run: answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"app": "echo", "path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(302 if self.path == "/go" else 200)
        if self.path == "/go":
            self.send_header("Location", f"http://{self.headers['Host']}/there")
            self.send_header("Set-Cookie", "a=b; Path=/deep")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        pass


class Shop:
    """The running gateway."""

    def __init__(self, run: Any) -> None:
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
            names = {"Host": HOST} | dict(headers or {})
            for name, value in names.items():
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

    def says(self, *words: str) -> tuple[int, str]:
        done = portico(*words, cwd=self.run.directory)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with private_directory() as home:
        write_files(home, {
            "sites/shop/app.py": APP.replace("{name}", "shop"),
            "sites/shop/portico.toml": SHOP.replace("{port}", str(server.server_port)),
            "sites/shop/gone.html": "<h1>gone for good</h1>",
            "sites/shop/public/a.txt": "a file",
            "sites/shop/public/.env": "secret",
            "sites/api/app.py": APP.replace("{name}", "api"),
            "sites/api/portico.toml": API,
            "sites/stripped/app.py": APP.replace("{name}", "stripped"),
            "sites/stripped/portico.toml": 'name = "stripped"\nrouted_by = ["shop"]\n',
            "sites/live/app.py": SOCKETS,
            "sites/live/portico.toml": 'name = "live"\napp = "app:app"\nrouted_by = ["shop"]\n',
        })  # fmt: skip
        run = start(home, "sites", "--workers", "1")
        try:
            until_ready(run, 120)
            made = Shop(run)
            for path, name in (("/", "shop"), ("/api/", "api"), ("/s/", "stripped")):
                until(lambda path=path, name=name: made.app(path) == name, run.stderr)  # type: ignore[misc]
            yield made
        finally:
            end(run)
            server.shutdown()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "shop"), ("/api/", "api"), ("/api/x", "api"), ("/apis", "shop"), ("/API/", "shop"),
        ("//api/x", "shop"), ("/%61pi/x", "api"), ("/s/x", "stripped"), ("/sx", "shop"),
        ("/elsewhere", "echo"), ("/elsewhere/x", "echo"), ("/elsewhere/short/x", "echo"),
    ],
)  # fmt: skip
def test_the_longest_path_decides_which_app_answers(shop: Shop, path: str, name: str) -> None:
    assert shop.app(path) == name


def test_a_path_that_leads_out_of_a_rule_is_not_the_rules(shop: Shop) -> None:
    assert shop.app("/api/../x") == "shop"
    assert shop.app("/api/%2e%2e/x") == "shop"


def test_a_kept_prefix_reaches_the_app_as_its_mount(shop: Shop) -> None:
    status, seen, _ = shop.ask("/api/a%2Fb//c?d=%20")
    assert (status, seen["prefix"], seen["path"], seen["raw"]) == (
        200,
        "/api",
        "/a/b//c",
        "/api/a%2Fb//c?d=%20",
    )


def test_a_stripped_prefix_is_gone_byte_for_byte_and_comes_back_in_redirects_and_cookies(shop: Shop) -> None:
    _, seen, _ = shop.ask("/s/a%2Fb//c?d=%20")
    assert (seen["prefix"], seen["path"], seen["raw"]) == ("", "/a/b//c", "/a%2Fb//c?d=%20")
    status, _, headers = shop.ask("/s/go")
    assert (status, headers["Location"], headers["Set-Cookie"]) == (302, "/s/login", "session=1; Path=/s/")
    assert shop.ask("/s/go?to=//other.example/x")[2]["Location"] == "//other.example/x"
    assert shop.ask("/s/go?to=http://shop.example/x")[2]["Location"] == "/s/x"
    assert shop.ask("/s/go?to=http://other.example/x")[2]["Location"] == "http://other.example/x"
    _, _, headers = shop.ask("/elsewhere/short/go")
    assert (headers["Location"], headers["Set-Cookie"]) == (
        "/elsewhere/short/there",
        "a=b; Path=/elsewhere/short/deep",
    )
    assert shop.ask("/api")[2]["Location"] == "/api/"
    assert shop.ask("/s")[2]["Location"] == "/s/"
    assert shop.ask("/s?x=1")[0] == 308


@pytest.mark.parametrize("path", ["/%73/x", "/s/a/../../s/x", "/s/../s/x", "/s/%2e%2e/s/x", "/s/./x"])
def test_an_odd_spelling_cannot_make_the_guards_and_a_stripped_target_read_two_paths(
    shop: Shop, path: str
) -> None:
    assert shop.ask(path)[0] == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/secret/../x", "/api/secret%2f..%2fx", "/s/secret%2f..%2fx", "/s/secret%5c..%5cx", "/x/../api/y",
        "/admin/../elsewhere/x", "/admin%2F..%2Felsewhere/x", "/elsewhere/..;/admin", "/elsewhere/x#/../y",
        "/elsewhere/short/x%2f%2e%2e%2fy",
    ],
)  # fmt: skip
def test_a_target_that_resolves_no_dots_gets_no_path_that_the_guards_read_otherwise(
    shop: Shop, path: str
) -> None:
    for more in ({}, {"X-Version": "2"}, {"X-Version": "2", "X-More": "1"}, {"Cookie": "beta=1"}):
        assert shop.ask(path, headers=more)[0] == 400, more


@pytest.mark.parametrize("path", ["/api/secret", "/api/./secret/x", "/api/x/../secret", "/s/secret"])
def test_the_guards_of_the_name_hold_on_every_way(shop: Shop, path: str) -> None:
    assert shop.ask(path)[0] in (400, 403)


def test_the_client_cannot_say_who_it_is_on_the_way_to_another_site(shop: Shop) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    lies |= {
        "Remote-User": "root",
        "X-Auth-Request-User": "root",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=6.6.6.6",
    }
    for path in ("/api/x", "/s/x"):
        _, seen, _ = shop.ask(path, headers=lies)
        assert (seen["client"], seen["scheme"], seen["host"]) == ("127.0.0.1", "http", HOST)
        assert not {"Remote-User", "X-Auth-Request-User", "Forwarded"} & seen["headers"].keys()
    seen = shop.ask("/elsewhere", headers=lies)[1]["headers"]
    assert (seen["X-Forwarded-For"], seen["X-Forwarded-Proto"], seen["X-Forwarded-Host"]) == (
        "127.0.0.1",
        "http",
        HOST,
    )
    assert not {"Remote-User", "X-Auth-Request-User", "Forwarded"} & seen.keys()


def test_each_app_has_its_own_upload_size(shop: Shop) -> None:
    body = b"x" * (1 << 20)
    assert shop.ask("/api/", "POST", body)[1]["size"] == len(body)
    assert shop.ask("/api/", "POST", b"x" * (3 << 20))[0] == 413
    assert shop.ask("/s/", "POST", b"x" * (3 << 20))[1]["size"] == 3 << 20


def test_caches_are_kept_apart(shop: Shop) -> None:
    for _ in range(2):
        assert shop.ask("/cached")[1]["text"] == "shop"
        assert shop.ask("/s/cached")[1]["text"] == "stripped"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/api/x", {"X-Version": "2"}, "stripped"),
        ("/api/x", {"X-Version": "22"}, "api"),
        ("/api/x", {"X_Version": "2"}, "api"),
        ("/api/x", {"X-Version": "2", "X-More": "yes"}, "echo"),
        ("/apis", {"X-Version": "2"}, "shop"),
        ("/x", {"Cookie": "a=b; beta=1"}, "stripped"),
        ("/x", {"Cookie": "beta=10"}, "shop"),
        ("/x", {"Cookie": "beta=0; beta=1"}, "shop"),
        ("/api/x", {"Cookie": "beta=1"}, "api"),
        ("/x", {"Host": "other.example"}, "stripped"),
        ("/", {"Host": "OTHER.example"}, "stripped"),
        ("/api/x", {"Host": "other.example"}, "api"),
        ("/posts", {}, "shop"),
    ],
)
def test_of_equal_paths_the_rule_with_more_conditions_decides(
    shop: Shop, path: str, headers: dict[str, str], name: str
) -> None:
    assert shop.app(path, headers) == name


def test_a_second_line_of_a_header_does_not_meet_a_condition_for_the_app_to_read_another(shop: Shop) -> None:
    with socket.create_connection(("127.0.0.1", shop.run.port), 60) as connection:
        head = "GET /api/x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nX-Version: 1\r\nX-Version: 2\r\n\r\n"
        connection.sendall(head.encode())
        assert b'"app":"api"' in connection.makefile("rb").read().replace(b" ", b"")


def test_a_method_chooses_and_the_body_goes_along(shop: Shop) -> None:
    status, seen, _ = shop.ask("/posts/one", "POST", b"x" * 100_000)
    assert (status, seen["app"], seen["path"]) == (200, "echo", "/one")


def test_files_and_own_paths_are_sent_on_by_a_condition_too(shop: Shop) -> None:
    assert shop.app("/files/a.txt", {"Cookie": "beta=1"}) == "stripped"
    assert shop.ask("/-/health", headers={"Cookie": "beta=1"})[1]["text"] == "ok"
    assert shop.ask("/-/errors/404.html", headers={"Cookie": "beta=1"})[0] == 404


def test_a_client_keeps_its_share(shop: Shop) -> None:
    def answers(number: int) -> set[str]:
        client = f"127.0.1.{number}"
        return {shop.ask(f"/shared/{turn}", client=client)[1]["app"] for turn in range(3)}

    seen = [answers(number) for number in range(1, 61)]
    assert all(len(one) == 1 for one in seen)
    assert 10 < sum(one == {"stripped"} for one in seen) < 50


def test_redirects_pages_and_folders(shop: Shop) -> None:
    status, _, headers = shop.ask("/old/x?y=1")
    assert (status, headers["Location"]) == (308, "https://new.example/old/x?y=1")
    status, page, headers = shop.ask("/gone/x", "POST", b"")
    assert (status, page["text"], headers["Cache-Control"]) == (410, "<h1>gone for good</h1>\n", "no-store")
    assert shop.ask("/files/a.txt")[1]["text"] == "a file"
    assert shop.ask("/files/.env")[0] == 404


def test_a_rule_that_finds_nobody_shows_its_page_for_its_path_alone(shop: Shop) -> None:
    status, page, _ = shop.ask("/nobody/x")
    assert status == 502
    assert "<title>" in page["text"]
    assert shop.app("/") == "shop"


def test_a_websocket_reaches_another_site(shop: Shop) -> None:
    with socket.create_connection(("127.0.0.1", shop.run.port), 60) as connection:
        head = (
            "GET /live/chat HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        )
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        connection.sendall(head.encode())
        stream = connection.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        connection.sendall(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
        assert stream.read(9) == bytes([0x81, 7]) + b"live hi"


def test_one_answer_has_one_id_and_one_line_in_the_log_of_the_app_that_answered(shop: Shop) -> None:
    _, _, headers = shop.ask("/s/of-the-log")
    assert len(headers.get_all("X-Request-ID") or []) == 1

    def lines(name: str) -> list[dict[str, Any]]:
        code, words = shop.says("logs", "--site", name, "--json", "--no-follow")
        assert code == 0, words
        logged = [
            json.loads(one) for one in words.splitlines() if one.startswith("{")
        ]  # or that there is none yet
        return [one for one in logged if "of-the-log" in str(one.get("uri"))]

    until(lambda: [one["id"] for one in lines("stripped")] == [headers["X-Request-ID"]])
    assert lines("stripped")[0]["client"] == "127.0.0.1"
    assert lines("shop") == []


def test_status_shows_which_paths_lead_to_a_site(shop: Shop) -> None:
    code, words = shop.says("status", "sites")
    assert code == 0, words
    assert f"http://shop.example:{shop.run.port}/api/" in words
    code, words = shop.says("trace", "/x", "--site", "api")
    assert code == 2
    assert "other sites or a gateway elsewhere pass requests to it" in words


def test_a_site_is_stopped_and_reloaded_alone(shop: Shop) -> None:
    assert shop.says("stop", "--site", "stripped")[0] == 0
    until(lambda: shop.ask("/s/x")[0] == 502, shop.run.stderr)
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(shop.app, ["/", "/api/x"] * 20)} == {"shop", "api"}
    code, words = shop.says("reload", "--site", "stripped")
    assert code == 0, words
    assert shop.app("/s/x") == "stripped"
    assert shop.says("maintenance", "on", "--site", "shop")[0] == 0
    until(lambda: shop.ask("/")[0] == 503)
    until(lambda: shop.ask("/elsewhere")[0] == 503)
    assert shop.app("/api/x") == "api", "another app is not closed with it"
    assert shop.says("maintenance", "off", "--site", "shop")[0] == 0
    until(lambda: shop.app("/") == "shop")


def test_the_socket_between_two_sites_is_for_the_gateway_alone(shop: Shop) -> None:
    code, words = shop.says("status", "sites", "--json")
    assert code == 0
    files = json.loads(words)["files"]
    routes = Path(files.rpartition("/")[0], "routes").stat()
    assert not routes.st_mode & 0o007


def test_two_sites_cannot_claim_one_name_and_the_error_says_how_to_share_it(shop: Shop) -> None:
    write_files(
        shop.run.directory, {"sites/other.toml": 'app = "sites/api/app.py"\ndomains = ["shop.example"]\n'}
    )
    try:
        shop.says("reload", "sites")
        code, words = shop.says("status", "--site", "other")
        assert code == 3
        assert 'answers "shop.example"' in words
        assert "[[route]]" in words
    finally:
        (shop.run.directory / "sites/other.toml").unlink()
        shop.says("reload", "sites")
