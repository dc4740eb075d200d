"""What Portico promises of every site, asked of a URL: the same for a laptop, a container, and replicas of one.

The site is that of `app`. A check raises AssertionError. None depends on which of several replicas answers.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

import httpx

from tests.acceptance.app import MAX_UPLOAD
from tests.support.until import until

PATIENCE_SECONDS = 60.0
SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "Script-Name": "/evil",
}
Check = Callable[[httpx.Client], None]


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)


def headers(site: httpx.Client) -> None:
    for path in ("/seen", "/own-headers", "/static/a.css", "/fail", "/none"):
        answer = site.get(path, headers={"X-Request-ID": "theirs"})
        for name in ("X-Request-ID", "Server"):
            assert len(answer.headers.get_list(name)) == 1, (path, name, answer.headers)
        assert answer.headers["X-Request-ID"] not in ("mine", "theirs")
        assert not any(letter.isdigit() for letter in answer.headers["Server"]), answer.headers["Server"]
    assert site.get("/static/a.css").headers["X-Content-Type-Options"] == "nosniff"
    assert site.get("/own-headers").headers["X-Frame-Options"] == "DENY"


def trust(site: httpx.Client) -> None:
    plain, spoofed = site.get("/seen").json(), site.get("/seen", headers=SPOOFED).json()
    assert plain == spoofed
    assert plain["address"]
    assert plain["address"] != "6.6.6.6"
    assert plain["scheme"] == site.base_url.scheme
    assert plain["host"] == site.base_url.netloc.decode()


def limits(site: httpx.Client) -> None:
    assert site.post("/upload", content=b"x" * (MAX_UPLOAD + 1)).status_code == 413
    assert site.get("/seen", headers={"X-Long": "x" * 70_000}).status_code in (400, 431)
    assert site.get(f"/seen?{'x' * 60_000}").status_code in (400, 414)
    assert site.request("TRACE", "/seen").status_code == 405


def statics(site: httpx.Client) -> None:
    packed = site.get("/static/a.css", headers={"Accept-Encoding": "gzip"})
    assert (packed.status_code, packed.headers["Content-Encoding"]) == (200, "gzip")
    assert packed.headers["Content-Type"].startswith("text/css")
    plain = {"Accept-Encoding": "identity"}
    tag = {"If-None-Match": site.get("/static/a.css", headers=plain).headers["ETag"]}
    assert site.get("/static/a.css", headers=plain | tag).status_code == 304
    for path in ("/static/.env", "//static/.env", "/static/..%2fshop.py", "/static../shop.py"):
        answer = _raw(site, f"GET {path} HTTP/1.1\r\nHost: {site.base_url.host}\r\nConnection: close\r\n\r\n")
        assert b"SECRET" not in answer, path
        assert b"RuntimeError" not in answer, path


def streams(site: httpx.Client) -> None:
    """The first event arrives before the second is made."""
    key = secrets.token_hex(8)
    with site.stream("GET", f"/stream/{key}") as answer:
        lines = answer.iter_lines()
        assert _event(lines) == "data: one"
        for _ in range(8):  # every replica gets some of them
            assert site.post(f"/go/{key}").status_code == 200
        assert _event(lines) == "data: two"


def uploads(site: httpx.Client) -> None:
    data = os.urandom(MAX_UPLOAD)
    wanted = hashlib.sha256(data).hexdigest()
    assert site.post("/upload", content=data).text == wanted
    chunked = site.post("/upload", content=iter([data[:1000], data[1000:]]))
    assert chunked.text == wanted or chunked.status_code == 411  # httpd wants a length


def timeouts(site: httpx.Client) -> None:
    assert site.get("/too-slow").status_code == 504


def health(site: httpx.Client) -> None:
    assert site.get("/-/health", headers={"Host": "nobody.example"}).status_code == 200


def errors(site: httpx.Client) -> None:
    answer = site.get("/fail")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert site.get("/none").status_code == 404
    assert _raw(site, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").split()[1] == b"400"


def drain(site: httpx.Client, stop: Callable[[], object]) -> None:
    """A request that is in progress when a site on this machine is told to stop gets its whole answer.

    Other places have a test of their own: it knows how they are stopped.
    """
    key = secrets.token_hex(8)
    with site.stream("GET", f"/stream/{key}") as answer:
        lines = answer.iter_lines()
        assert _event(lines) == "data: one"
        stop()
        until(lambda: _is_refused(site))
        (Path(gettempdir()) / f"go-{key}").touch()
        assert [line for line in lines if line] == ["data: two"]


CHECKS: tuple[Check, ...] = (headers, trust, limits, statics, streams, uploads, timeouts, health, errors)


def _event(lines: Iterator[str]) -> str:
    return next(line for line in lines if line)


def _is_refused(site: httpx.Client) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((site.base_url.host, site.base_url.port or 80)) != 0


def _raw(site: httpx.Client, request: str) -> bytes:
    """The answer to these exact bytes, to its end. For plain HTTP."""
    url = urlsplit(str(site.base_url))
    with socket.create_connection((url.hostname or "", url.port or 80), PATIENCE_SECONDS) as connection:
        connection.sendall(request.encode())
        found = b""
        while more := connection.recv(1 << 16):
            found += more
        return found
