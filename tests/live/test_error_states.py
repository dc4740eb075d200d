"""Every error page of nginx's keeps its status: in every state, over HTTP/1.1 and HTTP/2, on every route.

An error leads to its page by an internal redirect, and nginx checks the body limit again there. So over HTTP/2 an
upload that is too large was a bare 500, and 502 to 504 of a route with a larger max_upload were 413 or 500.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.support import Served, free_port, portico, served
from tests.support.until import until

APP = """
import os, time
from flask import Flask, request, send_file
from portico import edge

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024

def both(name, view):
    for prefix, limit in (("/small", None), ("/large", "40KiB")):
        def answer(view=view, limit=limit):
            if limit:
                request.max_content_length = 1 << 20
            return view()
        made = edge.max_upload(limit)(answer) if limit else answer
        if name == "slow":  # it alone: on a busy machine any other answer may take so long
            made = edge.timeout("5s")(made)
        app.add_url_rule(f"{prefix}/{name}", f"{prefix} {name}", made, methods=["GET", "POST"])

both("length", lambda: str(len(request.get_data())))
both("die", lambda: request.get_data() and os._exit(1))
both("slow", lambda: request.get_data() and time.sleep(10))
both("file", lambda: request.get_data() and send_file(os.path.join(app.root_path, "sent", "file.txt")))

@app.get("/")
def home():
    return "home"
"""
CONFIGURATION = '[downloads]\nroots = ["sent"]\n[errors]\npages = "pages"\n'
FILES = {
    "app.py": APP,
    "portico.toml": CONFIGURATION,
    "sent/file.txt": "sent by nginx\n" * 30_000,
    "pages/504.html": "<p>our own 504</p>",
}
ALLOWED = {"/small": 15_000, "/large": 39_000}
"""As many bytes as the route takes; those of /large are beyond the site's own limit. All bodies here fit HTTP/2's first
window: a client that waits for room to send would not read the answer."""
TITLES = {
    413: "Too large",
    500: "Something went wrong",
    431: "Too many cookies",
    502: "did not answer",
    503: "Starting",
    504: "our own 504",
}


class Site(NamedTuple):
    run: Served
    url: str
    client: httpx.Client

    def post(self, path: str, body: bytes | Iterable[bytes], **headers: str) -> httpx.Response:
        return self.client.post(self.url + path, content=body, headers={"Accept": "text/html"} | headers)

    def check(self, status: int, answer: httpx.Response) -> None:
        """The status, and the page of this site that belongs to it."""
        assert (answer.status_code, answer.http_version) == (status, self.version), answer.text[:200]
        assert TITLES[status] in answer.text
        assert "<center>nginx" not in answer.text

    @property
    def is_apache(self) -> bool:
        return self.run.is_apache

    @property
    def of_a_dead_worker(self) -> int:
        return 500 if self.is_apache else 502

    @property
    def version(self) -> str:
        return self.client.get(self.url + "/").http_version


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[tuple[Served, int]]:
    port = free_port()
    words = ["--https-listen", f"127.0.0.1:{port}", "--https", "local", "--https-http2", "on"]
    with served(FILES, *words, "--nginx", request.param, "--request-timeout", "60s") as found:
        yield found, port


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def site(request: pytest.FixtureRequest, run: tuple[Served, int]) -> Iterator[Site]:
    with httpx.Client(http2=request.param == "HTTP/2", verify=False, timeout=60) as client:
        made = Site(run[0], f"https://127.0.0.1:{run[1]}", client)
        until(lambda: client.get(made.url).status_code == 200, "a worker, after the one that died")
        assert made.version == request.param
        yield made


@pytest.fixture(params=list(ALLOWED))
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_over_http_2_an_upload_that_is_too_large_was_a_bare_500(site: Site, route: str) -> None:
    site.check(413, site.post(f"{route}/length", b"x" * 60_000))
    chunked = site.post(f"{route}/length", iter([b"x" * 10_000] * 6))
    if site.is_apache:
        assert chunked.status_code == 411
    else:
        site.check(413, chunked)
    assert site.post(f"{route}/length", b"x" * ALLOWED[route]).text == str(ALLOWED[route])


def test_a_route_with_a_larger_max_upload_keeps_its_statuses(site: Site, route: str) -> None:
    body = b"x" * ALLOWED[route]
    site.check(site.of_a_dead_worker, site.post(f"{route}/die", body))
    site.check(504, site.post(f"{route}/slow", body))
    long = site.post(f"{route}/length", body, **{f"x-{n}": "x" * 1000 for n in range(70)})
    site.check(500 if site.is_apache else 431, long)
    error = site.post(f"{route}/die", body, Accept="application/json").json()["error"]
    assert error["status"] == site.of_a_dead_worker


def test_a_start_is_503_whatever_was_sent(site: Site, route: str) -> None:
    body = b"x" * ALLOWED[route]
    flag, live = site.run.runtime / "booting", site.run.runtime / "app.sock.live"
    flag.touch()
    if site.is_apache:  # it looks before it asks the app
        live.rename(live.with_suffix(".away"))
    try:
        site.check(503, site.post(f"{route}/die", body))
    finally:
        flag.unlink()
        if site.is_apache:
            live.with_suffix(".away").rename(live)


def test_a_file_that_answers_a_request_with_a_large_body_is_sent(site: Site, route: str) -> None:
    """X-Accel-Redirect is an internal redirect, too; the worker uses it for GET, which may have a body."""
    answer = site.client.request("GET", f"{site.url}{route}/file", content=b"x" * ALLOWED[route])
    assert (answer.status_code, answer.text) == (200, FILES["sent/file.txt"])


def test_maintenance_is_503_with_its_message_whatever_was_sent(site: Site, route: str) -> None:
    """The message is included by a subrequest, which is checked, too."""
    done = portico("maintenance", "on", "--message", "back at noon", cwd=site.run.directory)
    assert done.returncode == 0, done.stderr
    try:
        answer = site.post(f"{route}/length", b"x" * ALLOWED[route])
        assert answer.status_code == 503
        assert "back at noon" in answer.text
    finally:
        assert portico("maintenance", "off", cwd=site.run.directory).returncode == 0
