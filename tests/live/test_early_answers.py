"""The gateway's own answer to an upload comes while the client is still sending: by HTTP/1.1, and by HTTP/2, where no
more than a window of it is sent.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import pytest

from tests.support import Served, free_port, portico, served

APP = """
from flask import Flask, request

app = Flask(__name__)

@app.route("/", methods=["GET", "POST"])
@app.post("/<path:rest>")
def size(rest=""):
    return str(len(request.get_data()))
"""
TOML = 'max_upload = "1MiB"\n'
PATIENCE = 25
"""Seconds. After 30 the gateway gives the upload up, and answers then."""
SMALL, LARGE, BEGUN = 900_000, 3_000_000, 100_000
HIDDEN = "/-/errors/404.html"
"""No client is shown it: 404."""


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[tuple[Served, int]]:
    port = free_port()
    words = (
        "--https-listen",
        f"127.0.0.1:{port}",
        "--https",
        "local",
        "--https-http2",
        "on",
        "--workers",
        "1",
    )
    files = {"app.py": APP, "portico.toml": TOML}
    with served(files, *front, *words) as run:
        yield run, port


def tls(port: int, protocol: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), PATIENCE), server_hostname="localhost"
    )


def by_http1(port: int, path: str, length: str) -> tuple[int, str]:
    """Status and Connection of the answer to an upload that rests after its beginning."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n"
    with tls(port, "http/1.1") as connection:
        connection.sendall(head.encode() + b"x" * BEGUN)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers.get("Connection", "")


def by_http2(port: int, path: str, length: int) -> tuple[int, bytes, list[int]]:
    """Status, body and the codes of RST_STREAM. The upload rests when the window is full."""
    status, body, resets = 0, b"", list[int]()
    with tls(port, "h2") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        client = h2.connection.H2Connection(h2.config.H2Configuration())
        client.initiate_connection()
        head = {":method": "POST", ":scheme": "https", ":authority": "localhost", ":path": path}
        client.send_headers(
            1, [*head.items(), ("accept", "application/json"), ("content-length", str(length))]
        )
        sent = 0
        while room := min(client.local_flow_control_window(1), client.max_outbound_frame_size):
            client.send_data(1, b"x" * room)
            sent += room
        assert sent < length
        connection.sendall(client.data_to_send())
        while not resets:
            data = connection.recv(65536)
            assert data, (status, body)
            for event in client.receive_data(data):
                match event:
                    case h2.events.ResponseReceived(headers=headers):
                        status = int(dict(headers or ())[b":status"])
                    case h2.events.DataReceived(data=more):
                        body += more or b""
                    case h2.events.StreamReset(error_code=code):
                        resets.append(int(code))
            connection.sendall(client.data_to_send())
    return status, body, resets


def test_an_upload_that_is_too_large_is_refused_while_it_comes(site: tuple[Served, int]) -> None:
    _, port = site
    assert by_http1(port, "/", f"Content-Length: {LARGE}")[0] == 413
    status, body, resets = by_http2(port, "/", LARGE)
    assert (status, b"413" in body, resets) == (413, True, [0])


def test_a_refused_path_is_answered_while_the_upload_comes(site: tuple[Served, int]) -> None:
    _, port = site
    assert by_http1(port, HIDDEN, f"Content-Length: {SMALL}")[0] == 404
    status, body, resets = by_http2(port, HIDDEN, SMALL)
    assert (status, b"404" in body, resets) == (404, True, [0])


def test_maintenance_is_told_while_the_upload_comes(site: tuple[Served, int]) -> None:
    run, port = site
    assert portico("maintenance", "on", cwd=run.directory).returncode == 0
    try:
        assert by_http1(port, "/", f"Content-Length: {SMALL}")[0] == 503
        status, body, resets = by_http2(port, "/", SMALL)
        assert (status, b"503" in body, resets) == (503, True, [0])
    finally:
        assert portico("maintenance", "off", cwd=run.directory).returncode == 0


def test_health_is_told_over_http_2_while_a_body_comes(site: tuple[Served, int]) -> None:
    status, body, resets = by_http2(site[1], "/-/health", SMALL)
    assert (status, body.strip(), resets) == (200, b"ok", [0])


def test_a_connection_outlives_a_refused_body_that_is_short(site: tuple[Served, int]) -> None:
    _, port = site
    head = f"POST {HIDDEN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nshort"
    with tls(port, "http/1.1") as connection:
        for _ in range(2):
            connection.sendall(head.encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 404
            answer.read()
