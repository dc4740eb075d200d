"""Server-Timing: who gets the times of a request, who never does, and that they are those of the log line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import Served, portico, served
from tests.support.until import until

WSGI = """
import time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.05)
    said = [("Content-Type", "text/plain"), ("Server-Timing", "db;dur=5"), ("X-Portico-Timing", "app;dur=1")]
    if path == "/kept":
        said.append(("Cache-Control", "public, max-age=600"))
    start_response("404 NOT FOUND" if path == "/gone" else "200 OK", said)
    return [b"hello"]
"""
ASGI = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.05)
    headers = [(b"content-type", b"text/plain"), (b"server-timing", b"db;dur=5"), (b"x-portico-timing", b"app;dur=1")]
    if scope["path"] == "/kept":
        headers.append((b"cache-control", b"public, max-age=600"))
    await send({"type": "http.response.start", "status": 404 if scope["path"] == "/gone" else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
"""
TOML = 'app = "shop:app"\nworkers = 1\nstatic = { "/static/" = "static" }\n[trace]\nserver_timing = "local"\n'
STATIC = {"static/a.css": "p {}"}
_ENTRY = re.compile(r'(?:^|, )([a-z]+)((?:;(?:desc="[^"]*"|desc=[A-Z]+|dur=[0-9.e-]+))+)')


OVER_UWSGI = pytest.param("nginx and ASGI", marks=pytest.mark.of_nginx)  # over HTTP nobody knows the queue


@pytest.fixture(scope="module", params=["nginx", OVER_UWSGI, "apache"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = ASGI if "ASGI" in request.param else WSGI
    words = ("--gateway", "apache") if request.param == "apache" else ()
    with served({"shop.py": app, "portico.toml": TOML, **STATIC}, *words) as run:
        yield run


def durations(answer: httpx.Response | str) -> dict[str, float]:
    """The entries as a browser reads them: milliseconds by name; 0 for one without a duration."""
    text = answer if isinstance(answer, str) else ", ".join(answer.headers.get_list("Server-Timing"))
    assert "".join(f"{m[0]}" for m in _ENTRY.finditer(text)) == text, text
    found = {}
    for name, words in _ENTRY.findall(text):
        duration = re.search(r";dur=([0-9.e-]+)", words)
        found[name] = float(duration[1]) if duration else 0.0
    return found


def gateway(run: Served) -> str:
    return "httpd" if "Apache" in run.get().headers["Server"] else "nginx"


def of_gateway(run: Served) -> tuple[str, ...]:
    """Its entries about an answer of the app; Portico's httpd stores none."""
    return ("nginx", "cache") if gateway(run) == "nginx" else ("httpd",)


def test_a_browser_on_this_machine_sees_where_the_time_went(site: Served) -> None:
    answer = site.get("/slow")
    seen = durations(answer)
    assert set(seen) == {"db", "queue", "app", *of_gateway(site)}
    assert seen["db"] == 5
    assert min(seen["app"], seen[gateway(site)] + 1) >= 50  # nginx's clock ticks in milliseconds
    assert "private" in answer.headers["Cache-Control"]  # no cache between stores the times for others
    assert "X-Portico-Timing" not in answer.headers


def test_files_and_error_pages_have_the_gateway_s_time(site: Served) -> None:
    answer = site.get("/static/a.css")
    assert answer.status_code == 200
    assert set(durations(answer)) == {gateway(site)}
    assert set(durations(site.get("/gone"))) == {"db", "queue", "app", *of_gateway(site)}


def test_nobody_behind_a_proxy_gets_the_times(site: Served) -> None:
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "CF-Ray", "X-Forwarded-Proto"):
        for path in ("/", "/static/a.css", "/gone"):
            answer = site.get(path, headers={header: "127.0.0.1"})
            assert (
                answer.headers.get("Server-Timing", "db;dur=5") == "db;dur=5"
            )  # the app's own, which all get
            assert "X-Portico-Timing" not in answer.headers
            assert "private" not in answer.headers.get("Cache-Control", "")


def test_the_figures_are_those_of_the_trace_of_the_same_request(site: Served) -> None:
    """Worker and log line take their time one after the other: another thread may come between."""
    seen, line = dict[str, float](), dict[str, Any]()

    def is_the_same() -> bool:
        nonlocal seen, line
        found = traced(site, "/slow")
        (header,) = [one["client"] for one in found["response"] if one["name"].lower() == "server-timing"]
        seen, line = durations(header), found["line"]
        differences = [
            seen["app"] - line["app_us"] / 1000,
            seen["queue"] - line["queue_us"] / 1000,
            seen[gateway(site)] - line["seconds"] * 1000,
        ]
        return all(abs(one) < 5 for one in differences)

    until(is_the_same, lambda: (seen, line))


def traced(run: Served, path: str) -> dict[str, Any]:
    done = portico("trace", "--json", path, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_stored_answer_never_tells_the_times_of_another_request(site: Served) -> None:
    first = site.get("/kept")
    assert set(durations(first)) == {"db", "queue", "app", *of_gateway(site)}
    if gateway(site) == "nginx":  # which stores an answer a moment after it has sent it
        (again,) = until(
            lambda: [one for one in [site.get("/kept")] if "cache;desc=HIT" in one.headers["Server-Timing"]]
        )
        assert set(durations(again)) == {"db", "nginx", "cache"}
    stranger = site.get("/kept", headers={"X-Forwarded-For": "198.51.100.7"})
    assert stranger.headers["Server-Timing"] == "db;dur=5"
    assert stranger.headers["Cache-Control"] == "public, max-age=600"


def test_without_the_option_nobody_gets_them_and_the_app_s_own_header_stays() -> None:
    with served({"shop.py": WSGI, "portico.toml": 'app = "shop:app"\n'}) as run:
        answer = run.get("/slow")
        assert answer.headers["Server-Timing"] == "db;dur=5"
        assert "Cache-Control" not in answer.headers
