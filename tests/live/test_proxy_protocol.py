"""The PROXY protocol: a declared balancer names the client of a connection, and nobody else does."""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.attack.target import BUILDS, target
from tests.live.tls import APP, anyone
from tests.support import (
    Served,
    end,
    free_port,
    portico,
    private_directory,
    served,
    start,
    until_ready,
    write_files,
)
from tests.support.until import until

pytestmark = [pytest.mark.usefixtures("_needs_nginx"), pytest.mark.timeout(300)]
BALANCER, STRANGER = "127.0.0.1", "127.0.0.2"
CLIENT, CLIENT_V6, EVIL = "203.0.113.7", "2001:db8::7", "6.6.6.6"
TRACE = "0af7651916cd43dd8448eb211c80319c"
LIES = {
    "X-Forwarded-For": EVIL, "X-Real-IP": EVIL, "Forwarded": f"for={EVIL}", "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "Remote-User": "evil",
    "X-SSL-Client-S-DN": "CN=evil", "X-Country-Code": "evil", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
}  # fmt: skip
BEHIND = ["--behind", f"{BALANCER}/32", "--behind-protocol", "proxy"]
SITES = [
    "gunicorn-embedded", "gunicorn-system", "asgi-system", "uwsgi-embedded", "http-system",
    pytest.param("fastcgi-embedded", marks=pytest.mark.of_nginx),
    "gunicorn-apache", "asgi-apache",
]  # fmt: skip
REMOTE = """
from flask import Flask, request

app = Flask(__name__)

@app.get("/")
def who():
    return request.remote_addr
"""
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v1(client: str = CLIENT) -> bytes:
    one = ip_address(client)
    return (
        f"PROXY TCP{one.version} {client} {'::1' if one.version == 6 else '192.0.2.1'} 56324 443\r\n".encode()
    )


def v2(client: str = CLIENT) -> bytes:
    """With a field behind the addresses, as balancers of clouds send them."""
    one = ip_address(client)
    there = ip_address("::1" if one.version == 6 else "192.0.2.1")
    body = one.packed + there.packed + struct.pack("!HH", 56324, 443) + b"\x04\x00\x01\x00"
    return (
        _SIGNATURE + bytes([0x21, 0x11 if one.version == 4 else 0x21]) + struct.pack("!H", len(body)) + body
    )


UNKNOWN = b"PROXY UNKNOWN :: :: 0 0\r\n"
"""httpd closes a connection whose first line has fewer than 16 bytes, as "PROXY UNKNOWN" alone."""
V2_LOCAL = _SIGNATURE + b"\x20\x00\x00\x00"
"""The balancer's own question whether the site is there."""


def answer(
    port: int, first: bytes, source: str = BALANCER, tls: ssl.SSLContext | None = None, path: str = "/x"
) -> tuple[bytes, bytes]:
    """Head and body of the answer to a request full of lies; both empty when nginx closed without one."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in LIES.items())
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}Connection: close\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", port), 60, source_address=(source, 0))
    received = b""
    try:
        connection.sendall(first)
        if tls:
            connection = tls.wrap_socket(connection, server_hostname="localhost")
        connection.sendall(request.encode())
        while chunk := connection.recv(65536):
            received += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        connection.close()
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def told(port: int, first: bytes, source: str = BALANCER) -> dict[str, Any]:
    head, body = answer(port, first, source)
    assert b" 200 " in head.split(b"\r\n")[0], head
    found: dict[str, Any] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["told"]
    return found


def refused(port: int, first: bytes, source: str) -> bool:
    return answer(port, first, source) == (b"", b"")


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    """Ready, so Portico itself got through."""
    with target(*request.param.split("-"), *BEHIND, "--tracing", "none") as found:
        yield found.run


def test_the_balancer_names_the_client_and_no_header_does(site: Served) -> None:
    for first, client in (
        (v1(), CLIENT),
        (v2(), CLIENT),
        (v1(CLIENT_V6), CLIENT_V6),
        (v2(CLIENT_V6), CLIENT_V6),
        (UNKNOWN if site.is_apache else b"PROXY UNKNOWN\r\n", BALANCER),
        (V2_LOCAL, BALANCER),
    ):
        seen = told(site.port, first)
        seen.pop("PORTICO_TRACEPARENT", None)  # what httpd writes into the log line
        assert seen["HTTP_X_FORWARDED_FOR"] == seen["HTTP_X_REAL_IP"] == client
        assert seen.get("REMOTE_ADDR", client) == client
        assert seen["HTTP_X_FORWARDED_PROTO"] == "http"
        assert EVIL not in str(seen)
        assert "evil" not in str(seen)
        assert TRACE not in str(seen), "the client's own, whoever carried it"


def test_a_stranger_is_himself_whatever_he_says(site: Served) -> None:
    if site.is_apache:
        _httpd_reads_no_line_of_a_stranger(site)
        return
    for first in (v1(), v2(), v2(CLIENT_V6)):
        seen = told(site.port, first, STRANGER)
        assert seen["HTTP_X_FORWARDED_FOR"] == STRANGER
        assert CLIENT not in str(seen)
        assert "evil" not in str(seen)
    for first in (b"", b"PROXY TCP4 not an address\r\n", _SIGNATURE + b"\x31\x11\x00\x00"):
        assert refused(site.port, first, STRANGER), first
    assert refused(site.port, b"", BALANCER)


def _httpd_reads_no_line_of_a_stranger(site: Served) -> None:
    for first in (v1(), v2(), v2(CLIENT_V6), UNKNOWN, V2_LOCAL):
        head, _ = answer(site.port, first, STRANGER)
        assert b" 400 " in head.split(b"\r\n")[0] or not head, head
    seen = told(site.port, b"", STRANGER)
    assert seen["HTTP_X_FORWARDED_FOR"] == STRANGER
    assert "evil" not in str(seen)
    assert refused(site.port, b"", BALANCER)
    assert b" 400 " in answer(site.port, v1() + v1())[0], "one line, no more"


def test_over_apache_a_program_of_this_machine_that_is_no_declared_proxy_names_nobody() -> None:
    with target("gunicorn", "apache", "--behind", "10.0.0.0/8", "--behind-protocol", "proxy") as found:
        port = found.run.port
        for first in (v1(), v2(), v1(CLIENT_V6)):
            assert b" 421 " in answer(port, first)[0].split(b"\r\n")[0]
        assert told(port, UNKNOWN)["HTTP_X_FORWARDED_FOR"] == BALANCER
        assert told(port, b"", STRANGER)["HTTP_X_FORWARDED_FOR"] == STRANGER


@pytest.mark.of_nginx  # httpd answers 400 to a first line of anybody else
def test_a_balancer_that_writes_headers_is_believed_in_those_that_are_named() -> None:
    with target("gunicorn", "system", *BEHIND, "--behind-headers", "scheme") as found:
        seen = told(found.run.port, v1())
        assert (seen["REMOTE_ADDR"], seen["HTTP_X_FORWARDED_PROTO"]) == (CLIENT, "https")
        assert "evil" not in str(seen)
        assert told(found.run.port, v1(), STRANGER)["HTTP_X_FORWARDED_PROTO"] == "http"


@pytest.mark.parametrize("build", [*BUILDS, "apache"])
def test_https_and_what_portico_asks_itself(build: str) -> None:
    port = free_port()
    gateway = ["--gateway", build] if build == "apache" else ["--nginx", build]
    words = ["--https", "local", "--https-listen", f"127.0.0.1:{port}", *gateway, *BEHIND]
    tls = anyone()
    tls.set_alpn_protocols(["http/1.1"])
    with served({"app.py": APP}, *words) as run:
        for first in (v1(), v2()):
            head, body = answer(port, first, tls=tls, path="/")
            assert b"200 OK" in head
            assert b'"scheme":"https"' in body.replace(b" ", b"")
        until(lambda: CLIENT in [line["client"] for line in run.requests()], "logged")
        with _in_front_of(port) as there, httpx.Client(http2=True, verify=anyone(), timeout=60) as client:
            for _ in range(2):
                got = client.get(f"https://localhost:{there}/h2", headers=LIES)
                assert got.http_version == "HTTP/2" or build != "apache"  # off where it has known faults
            lines: list[dict[str, Any]] = []
            until(lambda: len(_lines_of(run, "/h2", lines)) == 2, "logged")
            assert [line["client"] for line in lines] == [CLIENT_V6, CLIENT_V6]
        assert EVIL not in [line["client"] for line in run.requests()]
        assert answer(port, b"", tls=tls) == (b"", b"")
        assert b" 308 " in answer(run.port, v1())[0], "the balancer's word on the scheme is the client's"
        until(lambda: _shown(run), "looked at")
        assert [(one["is_served"], one["words"]) for one in _shown(run)] == [(True, "")]
        for url in ("/", f"https://localhost:{port}/"):
            traced = json.loads(portico("trace", url, "--json", cwd=run.directory).stdout)
            assert (traced["status"], traced["line"]["client"]) == (200, BALANCER), traced["error"]
        change = "TraceEnable Off" if run.is_apache else "gzip off"
        different = portico("what-if", change, "/", "--json", cwd=run.directory)
        assert different.stdout, different.stderr
        assert json.loads(different.stdout)["before"]["status"] == 200, different.stderr


def _lines_of(run: Served, uri: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines[:] = [line for line in run.requests() if line["uri"] == uri]
    return lines


@contextmanager
def _in_front_of(port: int) -> Iterator[int]:
    """A balancer for one connection, which names a client in it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=_balance, args=(listening, port), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(60)


def _balance(listening: socket.socket, port: int) -> None:
    client, _ = listening.accept()
    with client, socket.create_connection(("127.0.0.1", port), 60) as server:
        server.sendall(v2(CLIENT_V6))
        while True:
            ready, _, _ = select.select([client, server], [], [], 60)
            for one, other in ((client, server), (server, client)):
                chunk = one.recv(65536) if one in ready else b" "
                if not chunk or not ready:
                    return
                if one in ready:
                    other.sendall(chunk)


def _shown(run: Served) -> list[dict[str, Any]]:
    """What Portico saw at its own addresses of HTTPS."""
    found: list[dict[str, Any]] = json.loads(portico("cert", "--json", cwd=run.directory).stdout)["addresses"]
    return found


def test_a_reload_turns_it_on_and_off() -> None:
    plain = f'behind = ["{BALANCER}/32"]\n'
    with served({"app.py": APP, "portico.toml": plain}, "--nginx", "system") as run:
        toml = run.directory / "portico.toml"
        toml.write_text(plain + 'behind_protocol = "proxy"\n')
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        until(lambda: refused(run.port, b"", BALANCER), "nginx's new workers")
        until(lambda: b"200 OK" in answer(run.port, v1(), path="/")[0], "nginx's old workers are gone")
        toml.write_text(plain)
        done = portico("reload", cwd=run.directory)
        assert done.returncode == 0, done.stderr
        until(lambda: b"200 OK" in answer(run.port, b"", path="/")[0], "nginx's old workers are gone")


def test_sites_of_one_gateway() -> None:
    """One that agrees is taken in, one that does not is told; the gateway itself is asked in its own words, too."""
    with private_directory() as home:
        for name, protocol in (("one", "proxy"), ("other", "http"), ("two", "proxy")):
            text = (
                f'domains = ["{name}.example"]\nbehind = ["{BALANCER}/32"]\nbehind_protocol = "{protocol}"\n'
            )
            write_files(home, {f"sites/{name}/app.py": REMOTE, f"sites/{name}/portico.toml": text})
        run = start(home, "sites", "--workers", "1")
        try:
            until_ready(run, 90)
            assert "other" in run.stderr()
            assert "PROXY protocol" in run.stderr()
            until(lambda: _client_of(run, "one.example") == CLIENT, run.stderr())
            until(lambda: _client_of(run, "two.example") == CLIENT, run.stderr())
        finally:
            end(run)


def _client_of(run: Served, host: str) -> str:
    """Whom the app sees; empty when the site does not answer yet."""
    with socket.create_connection(("127.0.0.1", run.port), 60) as connection:
        connection.sendall(v1() + f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received.rpartition(b"\r\n\r\n")[2].decode() if b" 200 OK" in received else ""
