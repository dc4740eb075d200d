"""`portico trace --browser`: a page in a real browser, beside what the page's own script saw of the same visit."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support import Served, environment, free_port, portico, served
from tests.support.process import DEVNULL, is_alive, running
from tests.support.until import PATIENCE_SECONDS, until

PAGE = """
<!doctype html><title>page</title><link rel="stylesheet" href="/style"><h1>hello</h1>
<img src="/static/p.svg?token=5ec4e7" width="40" height="30"><img src="http://127.0.0.1:{port}/elsewhere">
<script>
const largest = [];
new PerformanceObserver(list => largest.push(...list.getEntries().map(one => one.startTime)))
  .observe({{type: "largest-contentful-paint", buffered: true}});
const tell = () => largest.length ? fetch("/report", {{method: "POST", body: JSON.stringify({{
  largest, paints: performance.getEntriesByType("paint"),
  entries: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]}})}})
  : setTimeout(tell, 20);
addEventListener("load", () => setTimeout(tell, 20));
</script>
"""
HOSTILE = """
<!doctype html><title>hostile</title><h1>hello</h1><img src="/static/p.svg" name="images" width="40" height="30">
<form name="getElementsByTagName"></form><form><input name="localName"></form>
<script>
document.body.append(document.createElementNS("http://www.w3.org/2000/svg", "img"));
alert("one"); confirm("two");
</script>
"""
APP = """
import time

PAGE = open("page.html").read().encode()

def app(environ, start_response):
    path, headers, body = environ["PATH_INFO"], [("Content-Type", "text/html; charset=utf-8")], PAGE
    if path == "/report":
        with open("report.new", "wb") as file:
            file.write(environ["wsgi.input"].read())
        import os
        os.rename("report.new", "report.json")
        body = b"thanks"
    elif path == "/style":
        headers = [("Content-Type", "text/css"), ("Content-Encoding", "identity")]
        body = b"h1 { color: rgb(0, 0, 1) } " * 500
    elif path == "/old":
        start_response("302 FOUND", [("Location", "/"), ("Content-Length", "0")])
        return []
    elif path == "/hostile":
        body = open("hostile.html").read().encode()
    elif path == "/":
        time.sleep(0.12)
    else:
        start_response("404 NOT FOUND", headers)
        return [b"nothing"]
    start_response("200 OK", headers)
    return [body]
"""
TOML = 'app = "shop:app"\nworkers = 1\nstatic = { "/static/" = "static" }\n[trace]\nserver_timing = "local"\n'
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><rect width="400" height="300"/></svg>'
)
_NEAR_MS = 5
_TRIES = 12
pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="no browser: scripts/apt chromium")


class Seen(NamedTuple):
    """One visit: what Portico says, and what the page's own script reported of the same one."""

    page: dict[str, Any]
    report: dict[str, Any]

    def resource(self, path: str) -> dict[str, Any]:
        return next(one for one in self.page["resources"] if urlsplit(one["url"]).path == path)

    @property
    def advice(self) -> str:
        return "\n".join(one["text"] for one in self.page["advice"])


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[socket.socket]:
    """Another service of this machine, which the page asks for."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def site(elsewhere: socket.socket) -> Iterator[Served]:
    page = PAGE.format(port=elsewhere.getsockname()[1])
    files = {"shop.py": APP, "page.html": page, "hostile.html": HOSTILE}
    with served({**files, "portico.toml": TOML, "static/p.svg": SVG}) as run:
        yield run


@pytest.fixture(scope="module")
def seen(site: Served) -> Seen:
    return visit(site, "/old")


def visit(site: Served, path: str) -> Seen:
    report = site.directory / "report.json"
    report.unlink(missing_ok=True)
    done = portico("trace", "--browser", "--json", path, cwd=site.directory)
    assert done.returncode == 0, done.stderr
    until(report.exists, "the page's own report")
    return Seen(json.loads(done.stdout), json.loads(report.read_text()))


def test_the_times_are_those_of_the_browser_s_own_performance_entries(seen: Seen) -> None:
    page, report = seen.page, seen.report
    paints = {one["name"]: one["startTime"] for one in report["paints"]}
    navigation, *resources = report["entries"]
    near(page["ttfb_us"], navigation["responseStart"])
    near(page["fcp_us"], paints["first-contentful-paint"])
    near(page["lcp_us"], report["largest"][-1])
    near(page["loaded_us"], navigation["loadEventEnd"])
    of_page = next(one for one in page["resources"] if one["kind"] == "Document" and not one["location"])
    near(of_page["sent_us"], navigation["requestStart"])
    near(of_page["head_us"], navigation["responseStart"])
    for entry in resources:
        if urlsplit(entry["name"]).path in ("/style", "/static/p.svg"):
            one = seen.resource(urlsplit(entry["name"]).path)
            near(one["sent_us"], entry["requestStart"])
            near(one["head_us"], entry["responseStart"])
            assert one["wire_bytes"] == pytest.approx(
                entry["transferSize"], abs=300
            )  # the browser estimates the head


def near(found_us: int, milliseconds: float) -> None:
    assert found_us / 1000 == pytest.approx(milliseconds, abs=_NEAR_MS)


def test_the_browser_reads_the_times_that_the_log_line_of_the_same_request_has(
    site: Served, seen: Seen
) -> None:
    """Worker and nginx take the two times one after the other: another process may come between, once."""
    for left in reversed(range(_TRIES)):
        pairs = list(agreeing(seen))
        assert len(pairs) >= 5
        if all(abs(told - logged / 1000) < _NEAR_MS for told, logged in pairs):
            return
        assert left, pairs
        seen = visit(site, "/old")


def agreeing(seen: Seen) -> Iterator[tuple[float, float]]:
    own = {entry["name"]: entry["serverTiming"] for entry in seen.report["entries"]}
    for one in seen.page["resources"]:
        if urlsplit(one["url"]).path in ("/", "/style"):
            by_page = {each["name"]: each["duration"] for each in own[one["url"]]}
            assert one["server_timing"] == by_page  # what the page's script may read, to the digit
            yield from ((by_page[name], one[f"{name}_us"]) for name in ("queue", "app"))
            yield next(by_page[name] for name in ("nginx", "httpd") if name in by_page), one["gateway_us"]


def test_each_resource_says_who_gave_it_and_what_that_took(seen: Seen) -> None:
    page = next(one for one in seen.page["resources"] if one["kind"] == "Document" and not one["location"])
    assert (page["by"], page["status"]) == ("app", 200)
    assert page["app_us"] >= 120_000
    assert seen.resource("/static/p.svg")["by"] == "gateway"
    assert seen.resource("/old")["status"] == 302
    assert all(len(one["id"]) == 32 for one in seen.page["resources"] if one["status"])


def test_it_says_what_would_make_the_page_faster(seen: Seen) -> None:
    said = seen.advice
    for words in (
        "/old redirects to /", "The app took", "painted nothing until it had /style", "/style came uncompressed",
        "again with each visit", "has 400 x 300 pixels and is shown with 40 x 30",
    ):  # fmt: skip
        assert words in said, said


def test_no_other_address_of_this_machine_is_asked_and_no_secret_shown(
    seen: Seen, elsewhere: socket.socket
) -> None:
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
    assert seen.resource("/elsewhere")["status"] == 0
    assert "Not fetched" in seen.advice
    assert "5ec4e7" not in json.dumps(seen.page)


def test_nothing_of_the_browser_is_left(site: Served, seen: Seen) -> None:
    assert seen.page["browser"].startswith("Chrome/")
    rule = f"MAP 127.0.0.1:{site.port} "
    assert not [one for one in psutil.process_iter(["cmdline"]) if rule in str(one.info["cmdline"])]


def test_a_page_cannot_stop_or_confuse_it(site: Served) -> None:
    """It opens dialogs, and calls its elements as what is asked of a document."""
    done = portico("trace", "--browser", "--json", "/hostile", cwd=site.directory)
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)
    assert not page["is_cut"]
    assert [(urlsplit(one["url"]).path, one["width"]) for one in page["pictures"]] == [("/static/p.svg", 400)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_browser_ends_with_the_trace(site: Served, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it never answers
        listener.settimeout(PATIENCE_SECONDS)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        argv = [sys.executable, "-m", "portico", "trace", "--browser", url]
        env = environment(site.directory)
        with (
            running(argv, cwd=site.directory, env=env, stderr=DEVNULL) as trace,
            listener.accept()[0],
        ):
            browser = psutil.Process(trace.pid).children(recursive=True)
            (profile,) = {word for word in browser[0].cmdline() if word.startswith("--user-data-dir=")}
            home = Path(profile.partition("=")[2]).parent
            assert home.exists()
            trace.send_signal(number)
            code = trace.wait(PATIENCE_SECONDS)
            until(lambda: not any(is_alive(one) for one in browser), "the end of the browser")
    if number == signal.SIGKILL:  # nobody is left to remove it
        shutil.rmtree(home, ignore_errors=True)
    else:
        assert code == 128 + number
        assert not home.exists()


def test_people_see_the_three_times_and_a_waterfall(site: Served) -> None:
    done = portico("trace", "--browser", "/", cwd=site.directory)
    assert done.returncode == 0, done.stderr
    for words in ("TTFB", "FCP", "LCP", "* /style", "app ", "What would make it faster"):
        assert words in done.stdout, done.stdout


def test_a_trace_of_a_page_leads_to_it(site: Served) -> None:
    found = json.loads(portico("trace", "/", "--json", cwd=site.directory).stdout)
    assert "portico trace --browser /" in [one["see"] for one in found["moments"]]


def test_what_no_browser_can_open_is_an_error(site: Served) -> None:
    for words, said in (
        (("-X", "POST", "/"), "-X: a browser opens a page with one GET"),
        (("-d", "x", "/"), "-d: a browser opens a page with one GET"),
        (("--repeat", "2", "/"), "--repeat: a browser opens"),
        (("ws://127.0.0.1/",), "a browser opens no such URL"),
        (("http://127.0.0.1:x/",), "this is not a URL"),
        (("http://a,MAP * b/",), "its host is not a name or an address"),
    ):
        done = portico("trace", "--browser", *words, cwd=site.directory)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    done = portico("trace", "--browser", "/", cwd=site.directory, env={"PATH": "/nowhere"})
    assert done.returncode == 1
    assert "no Chromium or Chrome is installed" in done.stderr
