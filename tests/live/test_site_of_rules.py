"""A site without an app: rules, files and a single-page app answer everything."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support import Served, end, portico, private_directory, start, until_ready, write_files
from tests.support.until import until

TOML = """
domains = ["app.example"]
spa = "dist"
[[route]]
path = "/api/"
to = "http://127.0.0.1:{port}"
strip = true
[[route]]
path = "/files/"
to = "./public/"
[[route]]
path = "/old/"
to = "301 https://new.example"
[[route]]
to = "404"
[access."/closed"]
deny = ["127.0.0.0/8"]
"""
PAGE = {"Accept": "text/html"}


class Echo(BaseHTTPRequestHandler):
    """The server behind the rule."""

    def do_GET(self) -> None:
        body = f"{self.command} {self.path}".encode()
        if self.path == "/told":
            body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        pass


@pytest.fixture(scope="module", params=["embedded", "system", "apache"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with private_directory() as home:
        write_files(home, {
            "portico.toml": TOML.replace("{port}", str(server.server_port)),
            "dist/index.html": "the page",
            "dist/assets/a.css": "a style",
            "public/index.html": "an index",
            "public/a.txt": "a file",
            "public/.env": "secret",
            "public/deep/index.html": "a deep index",
            "public/bare/b.txt": "b",
        })  # fmt: skip
        words = ("--gateway", "apache") if request.param == "apache" else ("--nginx", request.param)
        run = start(home, *words)
        try:
            until_ready(run, 120)
            yield run
        finally:
            end(run)
            server.shutdown()


def ask(site: Served, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    try:
        connection.request(method, path, headers={"Host": "app.example"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "the page"),
        ("/assets/a.css", 200, "a style"),
        ("/api/users?x=1", 200, "GET /users?x=1"),
        ("/files/", 200, "an index"),
        ("/files/a.txt", 200, "a file"),
        ("/files/deep", 301, ""),
        ("/files/deep/", 200, "a deep index"),
        ("/files/bare/", 404, ""),
        ("/files/.env", 404, ""),
        ("/files/nothing", 404, ""),
        ("/old/x", 301, ""),
        ("/nothing", 404, ""),
        ("//api/x", 404, ""),
        ("/-/health", 200, "ok"),
    ],
)
def test_everything_has_an_answer(site: Served, path: str, status: int, text: str) -> None:
    found = ask(site, path)
    # httpd makes one slash of the first ones, and then finds the path spelled in another way.
    assert found[0] == (400 if site.is_apache and path.startswith("//") else status)
    assert text in found[1]


def test_a_browser_gets_the_single_page_app_where_nothing_else_is(site: Served) -> None:
    assert ask(site, "/some/view", **PAGE) == (200, "the page")
    assert ask(site, "/api/view", **PAGE) == (200, "GET /view")
    assert ask(site, "/form", "POST", **PAGE)[0] == 404


@pytest.mark.parametrize(
    "target", ["http://evil.example/api/told", "foo:/api/told", "foo://app.example/api/told"]
)
def test_a_request_line_with_a_scheme_or_a_host_of_its_own_leads_nowhere_else(
    site: Served, target: str
) -> None:
    """The host of the line counts (RFC 9112, section 3.2.2), and another scheme is no path of this site."""
    with socket.create_connection(("127.0.0.1", site.port), 60) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b""
        with suppress(ConnectionResetError):  # a host that nobody has is closed without an answer
            while more := connection.recv(65536):
                answer += more
    assert b" 200 " not in answer.partition(b"\r\n")[0] or b'["host", "app.example"]' in answer
    assert b'["host", "evil' not in answer
    assert b"GET /" not in answer.partition(b"\r\n\r\n")[2]


def test_the_log_names_the_rule(site: Served) -> None:
    assert ask(site, "/api/logged")[0] == 200
    assert ask(site, "/old/logged")[0] == 301
    assert ask(site, "/logged")[0] == 404
    assert ask(site, "/closed/logged")[0] == 403
    assert ask(site, "/files/logged")[0] == 404
    assert ask(site, "/view/logged", **PAGE)[0] == 200

    def rules() -> dict[str, str]:
        done = portico("logs", "--json", "--no-follow", cwd=site.directory)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {one["uri"]: one.get("rule", "") for one in lines if one.get("uri", "").endswith("/logged")}

    wanted = {
        "/api/logged": "1",
        "/old/logged": "3",
        "/logged": "4",
        "/closed/logged": "4",
        "/files/logged": "",
    }
    wanted |= {"/view/logged": "4"}  # the single-page app's, where rule 4 would have answered
    until(lambda: rules() == wanted, lambda: str(rules()))


def test_maintenance_closes_files_redirects_and_pages_for_all_but_admitted_addresses(site: Served) -> None:
    paths = (
        "/",
        "/some/view",
        "/assets/a.css",
        "/files/",
        "/files/a.txt",
        "/old/x",
        "/nothing",
        "/api/users",
    )
    before = {path: ask(site, path, **PAGE) for path in paths}

    def close(*words: str) -> None:
        done = portico("maintenance", "on", "--message", "new cellar", *words, cwd=site.directory)
        assert done.returncode == 0, done.stderr

    try:
        close()
        for path in paths:
            until(lambda path=path: ask(site, path, **PAGE)[0] == 503, site.stderr)  # type: ignore[misc]
            assert "new cellar" in ask(site, path, **PAGE)[1]
        assert ask(site, "/closed/view", **PAGE)[0] == 403
        assert ask(site, "/-/health")[0] == 200
        close("--allow", "127.0.0.1")
        until(lambda: {path: ask(site, path, **PAGE) for path in paths} == before, site.stderr)
    finally:
        assert portico("maintenance", "off", cwd=site.directory).returncode == 0
    until(lambda: {path: ask(site, path, **PAGE) for path in paths} == before, site.stderr)


def test_access_rules_hold_for_the_single_page_app(site: Served) -> None:
    assert ask(site, "/closed/view", **PAGE)[0] == 403
    assert ask(site, "/%63losed/view", **PAGE)[0] == 403


@pytest.mark.parametrize("spelled", ["X_Forwarded-For", "x_real_ip", "Remote_User", "X-Portico_Proxy"])
def test_a_server_gets_no_header_that_only_an_underscore_tells_from_another(
    site: Served, spelled: str
) -> None:
    """Also behind an empty one of the same kind, which hides it from the patterns of Apache httpd."""
    sent = f"{spelled}: evil\r\nX-Forwarded_Host:\r\nX_Forwarded_For:\r\nAuthorization: mine\r\n"
    with socket.create_connection(("127.0.0.1", site.port), 60) as connection:
        head = f"GET /api/told HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n{sent}\r\n"
        connection.sendall(head.encode())
        answer = connection.makefile("rb").read()
    assert answer.split()[1] == b"200", answer
    assert b"mine" in answer
    assert b"evil" not in answer, answer


def test_a_server_is_told_the_host_and_the_client_by_the_gateway_alone(site: Served) -> None:
    said = {"X-Forwarded-For": "192.0.2.6", "X-Forwarded-Host": "evil.example", "X-Portico-Proxy": "1"}
    status, body = ask(site, "/api/told", **said)
    assert status == 200
    found = [
        (name, value)
        for name, value in json.loads(body)
        if name.startswith(("host", "x-forwarded", "x-portico-p"))
    ]
    told = dict(found)
    assert len(told) == len(found)
    assert told.pop("x-forwarded-prefix", "/api") == "/api"
    assert told == {
        "host": "app.example",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "app.example",
        "x-forwarded-proto": "http",
    }
