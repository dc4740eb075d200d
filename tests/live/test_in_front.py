"""What is in front of the site: a proxy that nobody declared, every address, and when a reload has been seen."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.support import Served, portico, rewrite, served
from tests.support.until import until

pytestmark = pytest.mark.timeout(600)
APP = """
from flask import Flask

app = Flask(__name__)


@app.post("/")
@app.get("/")
def home():
    return "home"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": ""}, host="") as run:
        yield run


def test_the_banner_and_status_say_that_all_addresses_are_listened_on(site: Served) -> None:
    words = f"on all addresses of this machine, port {site.port}"
    assert f"http://127.0.0.1:{site.port}/  {words}" in site.stderr()
    assert words in portico("status", cwd=site.directory).stdout


def test_the_headers_of_an_undeclared_proxy_are_said_once(site: Served) -> None:
    """Other tests have sent requests without them: those that carry them must be most of the last ones."""
    marks = {"CF-Ray": "8f2", "CF-Connecting-IP": "192.0.2.9", "X-Forwarded-For": "192.0.2.9"}

    def told() -> object:
        for _ in range(50):
            site.get(headers=marks)
        return json.loads(portico("status", "--json", cwd=site.directory).stdout)["forwarded"]

    assert until(told, site.stderr) == {"by": "cloudflare", "addresses": ["127.0.0.1"]}
    assert 'behind = ["cloudflare"]' in portico("status", cwd=site.directory).stdout
    site.until_said("behind does not name it")
    assert site.stderr().count("behind does not name it") == 1


def test_a_reload_returns_when_every_new_connection_has_the_new_configuration(site: Served) -> None:
    body = b"x" * 4096
    assert site.client.post(site.url, content=body).status_code == 200
    for size, status in (("1KiB", 413), ("16KiB", 200)) * 3:
        rewrite(site.directory / "portico.toml", f'max_upload = "{size}"\n')
        assert portico("reload", cwd=site.directory).returncode == 0
        answers = [httpx.post(site.url, content=body, timeout=60).status_code for _ in range(20)]
        assert answers == [status] * 20


def test_an_option_that_was_renamed_is_named(site: Served) -> None:
    found = portico("plan", "--limits-connections", "5", cwd=site.directory)
    assert found.returncode == 2
    assert "--limits-connections is called --limits-in-progress" in found.stderr


@pytest.mark.usefixtures("_needs_nginx")
@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_behind_only_answers_the_declared_proxy_and_this_machine(kind: str) -> None:
    """Other addresses of loopback are other machines here."""
    toml = 'behind = ["127.0.0.2", "10.0.0.0/8"]\nbehind_only = true\n'
    with served({"app.py": APP, "portico.toml": toml}, "--nginx", kind, host="") as run:
        assert asked_from(run, "127.0.0.2").startswith(b"HTTP/1.1 200 ")
        assert asked_from(run, "127.0.0.1").startswith(b"HTTP/1.1 200 ")
        assert asked_from(run, "127.0.0.1", "/-/health").startswith(b"HTTP/1.1 200 ")
        for path in ("/", "/-/health", "/nothing"):
            for said in (
                "",
                "X-Forwarded-For: 10.1.2.3\r\n",
                "X-Real-IP: 127.0.0.2\r\nForwarded: for=127.0.0.2\r\n",
            ):
                answer = asked_from(run, "127.0.0.9", path, said)
                assert answer.startswith(b"HTTP/1.1 421 ") if run.is_apache else answer == b""


def asked_from(run: Served, source: str, path: str = "/", headers: str = "") -> bytes:
    """All that a client of that address is answered; nothing when the connection is closed."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n{headers}Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", run.port), 60, (source, 0)) as connection:
        connection.sendall(head.encode())
        received = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received
