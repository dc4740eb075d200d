"""When the app is down, slow, starting or too strict: what a client sees, named after the symptom."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.live.conftest import MIRROR
from tests.support import Served, served, until_ready
from tests.support.until import until

SLOW_BOOT = """
import os, time
while os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn") and not os.path.exists("go"):
    time.sleep(0.05)
"""


def test_upstream_sent_too_big_header_with_two_cookies_of_3_kb(mirror: Served) -> None:
    answer = mirror.get("/big-cookies")
    assert answer.status_code == 200
    again = mirror.get("/", headers={"Cookie": f"a={'x' * 3000}; b={'y' * 3000}"})
    assert again.status_code == 200


HEAD = b"Host: a\r\nConnection: close\r\nAccept: text/html\r\n"
LINES = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(130))
TINY = b"".join(b"a%d:\n" % number for number in range(930))
"""Each takes 7 bytes more in a packet of the uwsgi protocol than it has here."""


@pytest.mark.of_nginx
@pytest.mark.parametrize(
    ("request_head", "status", "title"),
    [
        (b"GET / HTTP/1.1\r\n" + HEAD + b"Cookie: " + b"a=b; " * 2000 + b"\r\n\r\n", 431, "Too many cookies"),
        (
            b"GET / HTTP/1.1\r\n" + HEAD + LINES[:66_000].rpartition(b"X-")[0] + b"\r\n",
            431,
            "Too many cookies",
        ),
        (
            b"GET / HTTP/1.1\r\n" + HEAD + LINES[:100_000].rpartition(b"X-")[0] + b"\r\n",
            431,
            "Too many cookies",
        ),
        (b"GET / HTTP/1.1\r\n" + HEAD + LINES + b"\r\n", 431, "Too many cookies"),
        (
            b"POST / HTTP/1.1\r\n"
            + HEAD
            + b"Content-Length: 60000\r\n"
            + LINES[:100_000].rpartition(b"X-")[0]
            + b"\r\n"
            + b"x" * 60_000,
            431,
            "Too many cookies",
        ),
        (
            b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\n" + LINES + b"\r\nx",
            431,
            "Too many cookies",
        ),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"a:\r\n" * 20_000 + b"\r\n", 431, "Too many cookies"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414, "Address too long"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: x\r\n\r\n", 400, "Bad request"),
        (b"GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n", 400, "Bad request"),
    ],
    ids=[
        "one-line",
        "66k",
        "100k",
        "130k",
        "100k-post",
        "130k-post",
        "tiny-lines",
        "address",
        "length",
        "no-host",
    ],
)
def test_a_head_that_is_too_large_is_no_full_disk(
    mirror: Served, request_head: bytes, status: int, title: str
) -> None:
    """The link carries 64 KiB: what nginx took beyond that was its own 500, and called a full disk."""
    answer = mirror.raw(request_head)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert title.encode() in answer
    assert b"disk" not in answer
    assert b"<center>nginx" not in answer


@pytest.mark.of_nginx
def test_a_head_that_nginx_takes_fits_the_link(mirror: Served) -> None:
    lines = LINES[:55_000].rpartition(b"X-")[0]
    answer = mirror.raw(b"GET / HTTP/1.1\r\n" + HEAD + lines + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    assert b"X_50" in answer
    host = b"Host: " + b"a" * 8000 + b"\r\nConnection: close\r\n"
    answer = mirror.raw(
        b"GET /"
        + b"a" * 8000
        + b" HTTP/1.1\r\n"
        + host
        + TINY
        + LINES[:20_000].rpartition(b"X-")[0]
        + b"\r\n"
    )
    # All at their largest do not fit: nginx finds that when it writes the packet, and it is no full disk.
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]


def test_413_names_the_layer_and_the_setting(mirror: Served) -> None:
    answer = mirror.client.post(
        mirror.url + "/", content=b"x" * (64 * 1024 + 1), headers={"Accept": "text/html"}
    )
    assert answer.status_code == 413
    assert "64KiB" in answer.text
    assert "max_upload" in answer.text


def test_the_app_s_own_limit_is_nginx_s_limit(mirror: Served) -> None:
    assert mirror.client.post(mirror.url + "/", content=b"x" * (64 * 1024)).json()["length"] == 64 * 1024


@pytest.mark.of_nginx
def test_a_chunked_upload_has_a_length(mirror: Served) -> None:
    answer = mirror.client.post(mirror.url + "/", content=iter([b"a" * 1000, b"b" * 1000]))
    assert answer.json()["length"] == 2000


def test_504_comes_in_time_and_names_no_internals(mirror: Served) -> None:
    began = time.monotonic()
    answer = mirror.get("/slow?seconds=9", headers={"Accept": "text/html"})
    assert answer.status_code == 504
    assert time.monotonic() - began > 4
    for word in ("nginx", "unix:", "gunicorn", str(mirror.directory), "Traceback"):
        assert word not in answer.text


def test_programs_get_the_error_as_json(mirror: Served) -> None:
    answer = mirror.get("/static/nothing", headers={"Accept": "application/json"})
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()["error"]
    assert error["status"] == 404
    assert error["request_id"] == answer.headers["X-Request-ID"]


def test_browsers_get_a_page_with_the_request_s_id(mirror: Served) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = mirror.get("/static/nothing", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["X-Request-ID"] in answer.text


@pytest.mark.parametrize("code", [400, 403, 404, 413, 418, 429, 500, 502, 503, 504])
def test_the_app_s_own_errors_pass_untouched(mirror: Served, code: int) -> None:
    answer = mirror.get(f"/status/{code}")
    assert (answer.status_code, answer.text) == (code, "the app's own page")


def test_error_pages_cannot_be_asked_for(mirror: Served) -> None:
    assert mirror.get("/-/errors/502.html").status_code == 404


def test_a_view_that_fails_is_500_and_its_traceback_is_on_the_terminal(mirror: Served) -> None:
    assert mirror.get("/fail").status_code == 500
    mirror.until_said("RuntimeError: a view that fails")


def test_a_worker_that_dies_gives_one_clear_502_and_no_post_runs_twice(mirror: Served) -> None:
    answer = mirror.client.post(mirror.url + "/die", headers={"Accept": "text/html"})
    assert answer.status_code == (500 if mirror.is_apache else 502)
    assert mirror.is_apache or "The app did not answer" in answer.text
    assert (mirror.directory / "died.txt").read_text().count("POST") == 1
    _until_it_answers(mirror)


@pytest.mark.of_nginx
def test_a_get_whose_worker_died_is_tried_once_more(mirror: Served) -> None:
    before = (
        (mirror.directory / "died.txt").read_text().count("GET")
        if (mirror.directory / "died.txt").exists()
        else 0
    )
    assert mirror.get("/die").status_code == 502
    assert (mirror.directory / "died.txt").read_text().count("GET") == before + 2
    _until_it_answers(mirror)


def _until_it_answers(run: Served) -> None:
    """Workers that come for those that died take a while, and other tests want them."""
    until(lambda: run.get("/").status_code == 200, run.stderr)


def test_while_the_app_starts_there_is_a_page_that_asks_again() -> None:
    with served({"app.py": SLOW_BOOT + MIRROR}, wait=False) as run:
        answer = _first_answer(run)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert 'http-equiv="refresh"' in answer.text
        assert run.get("/-/health").status_code == 503
        (run.directory / "go").touch()
        until_ready(run)
        assert run.get("/").status_code == 200


def test_error_pages_of_your_own() -> None:
    files = {"app.py": MIRROR, "pages/404.html": "<p>my own 404</p>", "portico.toml": 'errors = "pages"\n'}
    with served({**files, "static/x": ""}) as run:
        assert run.get("/static/nothing", headers={"Accept": "text/html"}).text.strip() == "<p>my own 404</p>"
        assert "error" in run.get("/static/nothing", headers={"Accept": "application/json"}).json()


@pytest.mark.of_nginx  # httpd counts no requests
def test_too_many_requests_are_429_with_retry_after() -> None:
    with served({"app.py": MIRROR}, "--limits", "1/second burst 2") as run:

        def refused() -> list[httpx.Response]:
            with ThreadPoolExecutor(8) as pool:  # a busy machine may answer one by one, within the limit
                asked = [pool.submit(run.get, "/", headers={"Accept": "application/json"}) for _ in range(8)]
            return [answer for one in asked if (answer := one.result()).status_code == 429]

        first = until(refused)[0]
        assert first.headers["Retry-After"] == "1"
        assert first.json()["error"]["status"] == 429


def test_one_line_a_request_and_one_id_for_all(mirror: Served) -> None:
    agent = 'evil" agent\\ {"a":1}' + ("" if mirror.is_apache else "\x7f")  # httpd answers 400 to the last
    answer = mirror.get("/logged?q=1", headers={"User-Agent": agent, "X-Request-ID": "spoofed"})
    line = mirror.line(answer)
    assert line["agent"] == agent
    assert (
        line["id"]
        == answer.headers["X-Request-ID"]
        == answer.json()["environ"]["HTTP_X_REQUEST_ID"]
        != "spoofed"
    )
    assert (line["status"], line["method"], line["client"], line["protocol"]) == (
        200,
        "GET",
        "127.0.0.1",
        "HTTP/1.1",
    )
    assert line["bytes_out"] > 0
    assert mirror.is_apache or float(line["response_seconds"]) >= 0
    assert json.loads(json.dumps(line)) == line


def _first_answer(run: Served):  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up:
        try:
            return run.get("/", headers={"Accept": "text/html"})
        except (httpx.ConnectError, httpx.ReadError):  # Portico looks whether httpd's port is free
            time.sleep(0.02)
    raise AssertionError(run.stderr())


@pytest.mark.parametrize("size", [1, 8 << 10, 60 << 10, 64 << 10])
def test_an_upload_of_any_size_arrives_whole(mirror: Served, size: int) -> None:
    assert mirror.client.post(mirror.url + "/", content=b"x" * size).json()["length"] == size


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 1, 1 << 20, 20 << 20])
def test_a_large_upload_does_not_hang(uploads: Served, size: int) -> None:
    """nginx sends bodies from files with sendfile; a byte left unread in the middle stopped it for good."""
    answer = uploads.client.post(uploads.url + "/", content=b"x" * size, timeout=60)
    assert answer.json()["length"] == size
