"""Every line of the access log, on disk and on stdout, is JSON in UTF-8, whatever a client sends."""

from __future__ import annotations

import json
import random
import re
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from portico.log.request import as_json
from tests.support import Served, free_port, portico, served, until_there
from tests.support.until import until
from tests.support.wire import read_all, read_until

pytestmark = pytest.mark.timeout(300)
APP = """
import os, time
from flask import Flask
from portico import edge

app = Flask(__name__)

@app.get("/", defaults={"rest": ""})
@app.get("/<path:rest>")
def home(rest):
    return "home"

@app.get("/kept")
@edge.cache("60s")
def kept():
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
    return "kept"
"""
_ROUNDS = 150
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HALF_A_HEAD = b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82"
"""HEADERS of stream 1 with `:method: GET` and no END_HEADERS."""
RESET = b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08"


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[tuple[Served, int]]:
    port = free_port()
    words = ["--https-listen", f"127.0.0.1:{port}", "--https", "local", "--https-http2", "on"]
    app = APP.replace('@edge.cache("60s")\n', "") if "apache" in front else APP  # httpd keeps no answers
    with served({"app.py": app}, *words, *front) as run:
        yield run, port


def tls(port: int, protocol: str = "http/1.1") -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), 120), server_hostname="localhost"
    )


def ask(port: int, head: bytes) -> None:
    with tls(port) as connection:
        connection.sendall(head)
        read_all(connection)


def lines_of(run: Served, path: Path) -> list[dict[str, object]]:
    r"""Each whole line, read as strictly as JSON has it; httpd writes `\\xHH` for bytes above 0x7e."""
    whole = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(as_json(line) if run.is_apache else line.decode("utf-8", "strict")) for line in whole]


def has(path: Path, text: bytes) -> bool:
    return text in path.read_bytes()


def closing(run: Served, port: int, name: str) -> None:
    """A request after all others; its line is on disk and on stdout."""
    assert httpx.get(f"https://127.0.0.1:{port}/{name}", verify=False, timeout=60).status_code == 200
    for path in (run.state / "access.log", run.stdout_path):
        until(partial(has, path, f"/{name}".encode()), f"{name} is not in {path}")


def test_raw_bytes_in_what_a_client_may_choose(site: tuple[Served, int]) -> None:
    run, port = site
    dice = random.Random(14)

    def text(most: int) -> bytes:
        kinds = [
            bytes(dice.choices(range(0x80, 0x100), k=2)),
            b'a"\\',
            "é€😀".encode(),
            b"\xed\xa0\x80",
            b"x",
        ]
        return b"".join(dice.choice(kinds) for _ in range(dice.randrange(most)))

    for _ in range(_ROUNDS):
        host = dice.choice([b"localhost", b"h" + bytes([dice.randrange(0x80, 0x100)])])
        ask(
            port,
            b"GET /" + text(9) + b"?q=" + text(9) + b" HTTP/1.1\r\nHost: " + host
            + b"\r\nConnection: close\r\nUser-Agent: " + text(30) + b"\r\nReferer: " + text(9) + b"\r\n\r\n",
        )  # fmt: skip
    ask(port, b"GET /caf\xc3\xa9?a=\xe9b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    closing(run, port, "after-bytes")
    log = run.state / "access.log"
    # Each worker of nginx has a buffer of its own: the last line on the disk need not be the last one to come.
    for path in (log, run.stdout_path):
        until(lambda: len(lines_of(run, path)) >= _ROUNDS + 2, f"lines are missing in {path}")  # noqa: B023
    asked = "/café?a=\N{REPLACEMENT CHARACTER}" + ("b" if run.is_apache else "")  # nginx's ends there
    assert any(line["uri"] == asked for line in lines_of(run, log))


def test_each_request_has_one_line_in_its_turn(site: tuple[Served, int]) -> None:
    """Two formats share the file: one for ordinary requests, one for others, by turns on one connection."""
    run, port = site
    many = 40
    with tls(port) as connection:
        for number in range(many):
            odd, last = (b"\xff" if number % 3 else b""), number == many - 1
            head = b"GET /turn/%d?%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: in-turn%s\r\n%s\r\n"
            connection.sendall(
                head % (number, odd, b"\xc3\xa9" * (number % 2), b"Connection: close\r\n" * last)
            )
            read_until(connection, b"home")
    closing(run, port, "after-turns")

    def in_turn() -> list[dict[str, object]]:
        whole = lines_of(run, run.state / "access.log")
        return [line for line in whole if str(line["agent"]).startswith("in-turn")]

    until(
        lambda: len(in_turn()) >= many, "lines are missing: another worker of nginx keeps them for a moment"
    )
    found, turns = lines_of(run, run.state / "access.log"), in_turn()
    expected = [f"/turn/{n}?{REPLACED if n % 3 else ''}" for n in range(many)]
    assert [line["uri"] for line in turns] == expected
    assert [line["agent"] for line in turns] == [f"in-turn{'é' * (n % 2)}" for n in range(many)]
    ids = [line["id"] for line in found if line["id"] != "-"]  # what httpd says of a request that is no HTTP
    assert len(set(ids)) == len(ids) >= many


REPLACED = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.of_nginx  # httpd notices it while it writes
def test_an_aborted_http_2_head_is_499_not_000(site: tuple[Served, int]) -> None:
    run, port = site
    before = sum(line["status"] == 499 for line in run.requests())
    for end in (b"", RESET):
        with tls(port, "h2") as connection:
            connection.sendall(PREFACE + HALF_A_HEAD + end)
            connection.recv(65536)
    closing(run, port, "after-heads")
    until(lambda: sum(line["status"] == 499 for line in run.requests()) > before, "no 499")
    assert all(line["status"] for line in lines_of(run, run.state / "access.log"))


@pytest.mark.of_nginx  # httpd notices it while it writes
def test_a_client_that_gave_up_is_499_with_the_cache_on(site: tuple[Served, int]) -> None:
    run, port = site
    with tls(port) as connection:
        connection.sendall(b"GET /kept HTTP/1.1\r\nHost: localhost\r\nUser-Agent: impatient\r\n\r\n")
        until_there(run.directory / "begun")
    (run.directory / "go").touch()
    until(lambda: [line for line in run.requests() if line["agent"] == "impatient"], "no line")
    (line,) = (line for line in run.requests() if line["agent"] == "impatient")
    assert line["status"] == 499

    def is_counted() -> bool:
        """Everywhere the same; lines of another worker of nginx may still come, and whoever counts looks later."""
        told = json.loads(portico("status", "--json", cwd=run.directory).stdout)["requests"]
        shown = portico("status", cwd=run.directory).stdout
        counts = re.findall(r'status="left"} (\d+)', portico("metrics", cwd=run.directory).stdout)
        statuses = [line["status"] for line in run.requests()]
        left, failed = statuses.count(499), sum(status >= 500 for status in statuses)
        found = (told["left"], told["failed"], told["unread"], sum(map(int, counts)))
        return found == (left, failed, 0, left) and f", {left} left" in shown

    until(is_counted, "status and metrics count what is in the log")


def test_a_line_that_cannot_be_read_is_counted_and_said(site: tuple[Served, int]) -> None:
    """In a file that was put aside: the other tests of this site read the current one strictly."""
    run, _ = site
    old = run.state / "access.log.9"
    old.write_bytes(b'{"time":"torn\n')
    try:
        done = portico("logs", "--no-follow", cwd=run.directory)
    finally:
        old.unlink()
    assert done.returncode == 0, done.stderr
    assert "1 line of access.log could not be read" in done.stderr
