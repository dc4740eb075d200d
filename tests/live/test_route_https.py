"""https servers of rules: only one that proves its name by a certificate of a known authority is asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.test_https import pair
from tests.support import Served, private_directory, served

BAD = ("other", "expired", "unknown")
"""A certificate of another name, an old one, and one that nobody signed whom the site knows."""


class Server:
    """Says what it was told, in the handshake and in the request."""

    def __init__(self, home: Path, name: str, certificate: tuple[bytes, bytes]) -> None:
        self.leads_to = "/there?x=1"
        self.asked = list[str]()
        self.said = list[str]()
        files = home / f"{name}.pem", home / f"{name}.key"
        for path, text in zip(files, certificate, strict=True):
            path.write_bytes(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        context.sni_callback = lambda _, said, __: self.said.append(said or "")
        self.listener = _Quiet(("127.0.0.1", 0), self._handler())
        self.listener.socket = context.wrap_socket(
            self.listener.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self.listener.server_port
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.listener.shutdown()
        self.listener.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                told = json.dumps({"path": self.path, "headers": dict(self.headers)}).encode()
                is_redirect = self.path.endswith("/go")
                self.send_response(302 if is_redirect else 200)
                if is_redirect:
                    is_own = self.headers["Host"] == f"localhost:{server.port}"
                    scheme = "https" if is_own else self.headers["X-Forwarded-Proto"]
                    self.send_header("Location", f"{scheme}://{self.headers['Host']}{server.leads_to}")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that refuses the certificate."""


@contextmanager
def _servers(home: Path) -> Iterator[dict[str, Server]]:
    certificates = {
        "good": pair(["localhost"]),
        "other": pair(["other.example", "shop.example"]),
        "expired": pair(["localhost"], days=-1),
        "unknown": pair(["localhost"]),
    }
    known = b"".join(certificates[name][0] for name in ("good", "other", "expired"))
    (home / "known.pem").write_bytes(known)
    with ExitStack() as stack:
        made = {name: Server(home, name, own) for name, own in certificates.items()}
        for one in made.values():
            stack.callback(one.stop)
        yield made


@pytest.fixture(scope="module")
def site(kind: tuple[str, str]) -> Iterator[tuple[Served, dict[str, Server]]]:
    with private_directory() as home, _servers(home) as servers:
        toml = f'domains = ["shop.example", "localhost"]\n[upstream]\nca = "{home / "known.pem"}"\n'
        toml += '[[route]]\npath = "/"\nto = "404"\n'
        for name, server in servers.items():
            toml += f'[[route]]\npath = "/{name}/"\nto = "https://localhost:{server.port}"\n'
        toml += f'[[route]]\npath = "/bare/"\nto = "https://localhost:{servers["good"].port}"\nstrip = true\n'
        with served({"portico.toml": toml}, *kind) as run:
            yield run, servers


def _ask(run: Served, path: str, **headers: str) -> httpx.Response:
    return run.get(path, headers={"Host": "shop.example"} | headers)


def test_a_server_that_proves_its_name_is_asked(site: tuple[Served, dict[str, Server]]) -> None:
    run, servers = site
    answer = _ask(run, "/good/a%20b?x=1")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["path"] == "/good/a%20b?x=1"
    assert set(servers["good"].said) == {"localhost"}, "the name in the handshake"
    of = {name.lower(): value for name, value in told["headers"].items()}
    own = f"localhost:{servers['good'].port}"
    assert of["host"] == (own if run.is_apache else "shop.example")
    assert (of["x-forwarded-host"], of["x-forwarded-for"]) == ("shop.example", "127.0.0.1")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("host", ["shop.example", "localhost"])
def test_one_that_does_not_is_told_nothing(
    site: tuple[Served, dict[str, Server]], name: str, host: str
) -> None:
    """Whatever the client names in Host: it does not choose the certificate."""
    run, servers = site
    answer = _ask(run, f"/{name}/secret", Host=host)
    assert answer.status_code == (500 if run.is_apache else 502)
    assert servers[name].asked == []


@pytest.mark.parametrize("path", ["/there?x=1", "//evil.example/there?x=1", "/\\evil.example/there?x=1"])
def test_redirects_of_it_stay_on_this_host(site: tuple[Served, dict[str, Server]], path: str) -> None:
    run, servers = site
    servers["good"].leads_to = path
    for asked in ("/good/go", "/bare/go"):
        said = _ask(run, asked).headers["Location"]
        where = httpx.URL("http://shop.example/").join(said.replace("\\", "/"))
        assert (where.host, where.query) == ("shop.example", b"x=1"), said
        assert where.path.endswith("/there")
        assert where.path.startswith("/bare/") == asked.startswith("/bare/")
