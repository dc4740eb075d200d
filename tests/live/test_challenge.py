"""A costly route asks for a pass: a browser gets one by itself, a crawler does not, and nginx alone verifies it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from portico.run.challenge.puzzle import solution
from tests.support import KEEP_NONE, Served, portico, served
from tests.support.process import is_alive
from tests.support.until import until

pytestmark = pytest.mark.of_nginx  # httpd has no challenge

APP = """
import pathlib, time
from flask import Flask, request
from portico import edge

app = Flask(__name__)
here = pathlib.Path(__file__).parent


@app.get("/")
def home():
    return "home"


@app.route("/search", methods=["GET", "POST"])
@edge.costly
def search():
    return f"<title>found</title><h1>found by {request.method}</h1>"


@app.get("/form")
def form():
    return '<title>form</title><form method="post" action="/search"><input name="q"><button>send</button></form>'


@app.get("/gate")
def gate():
    while not (here / "open").exists():
        time.sleep(0.01)
    return "gate"
"""
TOML = """
app = "shop:app"
behind = ["127.0.0.1"]

[guard]
challenge = "{}"

[headers]
preset = "strict"

[limits]
exempt = ["198.51.100.0/24"]
"""
WAIT_MS = 120_000
expect.set_options(timeout=WAIT_MS)
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(
        {"shop.py": APP, "portico.toml": TOML.format("always")}, "--nginx", str(request.param)
    ) as run:
        yield run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "no browser: scripts/apt chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, timeout=WAIT_MS)
        yield started
        started.close()


def visitor(browser: Browser, **how: bool) -> BrowserContext:
    """A browser of somebody's own, patient with a busy machine."""
    made = browser.new_context(**how)  # type: ignore[arg-type]
    made.set_default_timeout(WAIT_MS)
    return made


def client(run: Served, address: str) -> httpx.Client:
    """Somebody behind the declared proxy."""
    return httpx.Client(base_url=run.url, headers={"X-Forwarded-For": address}, timeout=60, limits=KEEP_NONE)


def puzzle(someone: httpx.Client) -> dict[str, str]:
    answer = someone.get("/search", headers=HTML)
    assert answer.status_code == 429
    (path,) = re.findall(r'data-path="([^"]*)"', answer.text)
    found = someone.get(f"{path}/puzzle")
    return {"path": path, "seed": found.text, "client": found.headers["x-portico-client"]}


def solve(someone: httpx.Client) -> httpx.Response:
    """As the page's script does it."""
    found = puzzle(someone)
    said = {name: found[name] for name in ("seed", "client")}
    return someone.post(found["path"], params={**said, "nonces": solution(found["seed"], found["client"])})


def test_a_browser_gets_to_the_page_and_keeps_its_pass(site: Served, browser: Browser) -> None:
    context = visitor(browser)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
    page.goto(f"{site.url}/search?q=tea#more")
    expect(page.get_by_role("heading")).to_have_text("found by GET")
    assert page.url == f"{site.url}/search?q=tea#more"
    (cookie,) = context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("portico_pass", True, "Lax")
    answer = page.goto(f"{site.url}/search?q=coffee")
    assert answer
    assert answer.status == 200
    assert complaints == []
    context.close()


def test_a_form_is_not_lost(site: Served, browser: Browser) -> None:
    context = visitor(browser)
    page = context.new_page()
    page.goto(f"{site.url}/form")
    page.get_by_role("textbox").fill("tea")
    page.get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("has not arrived")
    expect(page.get_by_role("button", name="Go back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_have_value("tea")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading")).to_have_text("found by POST")
    context.close()


def test_without_scripts_or_cookies_the_page_says_what_is_missing(site: Served, browser: Browser) -> None:
    context = visitor(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/search")
    said = page.locator("noscript p")
    expect(said).to_be_visible()
    expect(said).to_contain_text("The check needs a script")
    context.close()
    context = visitor(browser)
    page = context.new_page()
    page.route("**/-/challenge?*", lambda route: route.fulfill(status=204))  # the cookie gets lost
    page.goto(f"{site.url}/search")
    expect(page.get_by_role("status")).to_contain_text("The check needs a cookie")
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    context.close()


def test_a_crawler_gets_no_page_and_wakes_nobody(site: Served) -> None:
    with client(site, "203.0.113.1") as crawler:
        page = crawler.get("/search?crawler", headers=HTML)
        assert (page.status_code, page.headers["cache-control"], page.headers["x-robots-tag"]) == (
            429, "no-store", "noindex",
        )  # fmt: skip
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert len(page.headers.get_list("content-security-policy")) == 1
        told = crawler.get("/search?program")
        assert told.json()["error"]["title"] == "No pass"
        assert crawler.post("/search?post", json={}).json()["error"]["status"] == 429
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert crawler.get("/search?upgrade", headers=upgrade).status_code == 429
        assert crawler.get(f"{site.url}//search?slashes").status_code == 429
        assert crawler.head("/search?head", headers=HTML).status_code == 429
        assert crawler.options("/search").status_code == 429, "some apps answer it with the view"
        assert crawler.get("/").text == "home"
        assert crawler.get("/-/challenge").status_code == 404
        assert crawler.get("/-/errors/challenge.html").status_code == 404
    marks = ("crawler", "program", "post", "upgrade", "slashes", "head")

    def refused() -> dict[str, tuple[str, str]]:
        found = {line["uri"].partition("?")[2]: (line["refused_by"], line["upstream"]) for line in site.requests()
                 if "/search?" in line["uri"]}  # fmt: skip
        return {mark: found[mark] for mark in marks if mark in found}

    until(lambda: refused() == dict.fromkeys(marks, ("challenge", "")), refused)


def test_a_pass_is_good_for_the_network_that_solved_the_puzzle(site: Served) -> None:
    with client(site, "2001:db8:1:2::7") as someone, client(site, "2001:db8:1:3::7") as other:
        assert solve(someone).status_code == 204
        assert someone.get("/search").status_code == 200
        assert someone.post("/search").status_code == 200
        for name, value in someone.cookies.items():
            other.cookies.set(name, value)
        assert other.get("/search").status_code == 429
        someone.headers["X-Forwarded-For"] = "2001:db8:1:2:ffff::1"
        assert someone.get("/search").status_code == 200


def test_a_pass_of_an_ipv4_address_is_no_other_s_however_a_proxy_writes_it(site: Served) -> None:
    with client(site, "::ffff:203.0.113.4") as someone, client(site, "::ffff:203.0.113.5") as other:
        assert solve(someone).status_code == 204
        other.cookies.update(someone.cookies)
        assert (someone.get("/search").status_code, other.get("/search").status_code) == (200, 429)
        someone.headers["X-Forwarded-For"] = "203.0.113.4"
        assert someone.get("/search").status_code == 200


def test_a_solution_is_not_anybody_elses(site: Served) -> None:
    with client(site, "203.0.113.4") as someone, client(site, "203.0.113.5") as other:
        found = puzzle(someone)
        nonces = solution(found["seed"], "203.0.113.4")
        asked = {"seed": found["seed"], "client": "203.0.113.4", "nonces": nonces}
        assert other.post("/-/challenge", params=asked).status_code == 403
        assert other.post("/-/challenge", params={**asked, "client": "203.0.113.5"}).status_code == 403
        assert not other.cookies
        assert someone.post("/-/challenge", params=asked).status_code == 204


def test_limits_shows_who_was_asked_and_how_many_got_a_pass(site: Served) -> None:
    with client(site, "2001:db8:9:9::1") as someone:
        for _ in range(50):
            someone.get("/search?counted")
        assert solve(someone).status_code == 204

    def told() -> dict[str, Any]:
        found = json.loads(portico("limits", "--json", cwd=site.directory).stdout)["challenge"]
        return found or {"clients": [], "asked": 0, "passes": 0}  # nothing has been read from the log yet

    # Others of this site were asked, too; what an answer adds to the log is written after it.
    until(lambda: {"client": "2001:db8:9:9::/64", "count": 51} in told()["clients"], told)
    until(lambda: told()["asked"] >= 51 and told()["passes"] >= 1, told)
    shown = portico("limits", cwd=site.directory).stdout
    assert "asked for a pass" in shown
    assert re.search(r"    51  2001:db8:9:9::/64", shown)


def test_whoever_changes_a_pass_has_none(site: Served) -> None:
    with client(site, "203.0.113.6") as someone:
        assert solve(someone).status_code == 204
        good = someone.cookies["portico_pass"]
        someone.cookies.clear()
        later = f"{good[0]}{int(good[1:11]) + 1}{good[11:]}"
        forged = [
            later,
            "z" + good[1:],
            good[:-2],
            good + "A",
            f"a{int(time.time()) + 9999}.{'A' * 22}",
            "",
            ",",
        ]
        for pass_ in forged:
            answer = someone.get("/search", headers={"Cookie": f"portico_pass={pass_}"})
            assert answer.status_code == 429, pass_
        assert someone.get("/search", headers={"Cookie": f"a=b; portico_pass={good}"}).status_code == 200


def test_over_https_the_pass_is_for_https_alone(site: Served) -> None:
    with client(site, "203.0.113.7") as someone:
        someone.headers["X-Forwarded-Proto"] = "https"
        assert "; Secure" in solve(someone).headers["set-cookie"]


def test_exempt_networks_are_not_asked(site: Served) -> None:
    with client(site, "198.51.100.7") as monitoring:
        assert monitoring.get("/search").status_code == 200


def test_wrong_solutions_are_limited(site: Served) -> None:
    with client(site, "203.0.113.8") as guesser, ThreadPoolExecutor(20) as threads:

        def guess() -> int:
            for _ in range(20):  # in many threads httpx may close a connection that another one just uses
                with suppress(httpx.TransportError):
                    return guesser.post("/-/challenge?seed=1").status_code
            raise AssertionError("no answer")

        def statuses() -> set[int]:
            asked = [threads.submit(guess) for _ in range(40)]
            return {one.result() for one in asked}

        until(lambda: statuses() == {403, 429})  # a busy machine may ask within the limit


def test_a_pass_outlives_a_reload(site: Served) -> None:
    with client(site, "203.0.113.9") as someone:
        assert solve(someone).status_code == 204
        assert portico("reload", cwd=site.directory).returncode == 0
        assert someone.get("/search").status_code == 200
        someone.cookies.clear()
        assert someone.get("/search").status_code == 429
        assert solve(someone).status_code == 204


def test_passes_outlive_a_change_of_the_keys(site: Served) -> None:
    path = site.state / "challenge.keys"
    assert path.stat().st_mode & 0o077 == 0
    with client(site, "203.0.113.10") as someone:
        workers = site.called("nginx: worker")
        assert solve(someone).status_code == 204
        before, old = path.read_bytes(), someone.cookies["portico_pass"]
        kept = json.loads(before)
        kept["current"]["made"] = 0.0
        older = path.with_suffix(".older")
        older.write_text(json.dumps(kept))
        older.chmod(0o600)
        older.replace(path)  # whoever reads half of it makes new keys
        until(lambda: json.loads(path.read_bytes())["current"]["secret"] != kept["current"]["secret"])

        def is_new() -> bool:
            someone.cookies.clear()
            return solve(someone).status_code == 204 and someone.get("/search").status_code == 200

        until(lambda: is_new() and someone.cookies["portico_pass"][0] != old[0])
        someone.cookies.clear()
        assert someone.get("/search", headers={"Cookie": f"portico_pass={old}"}).status_code == 200
        # The passes of the next tests are made with the new key, which the workers that leave do not know.
        until(lambda: not any(map(is_alive, workers)), "an old worker of nginx stays")


@pytest.mark.usefixtures("_needs_nginx")
def test_nobody_is_asked_before_there_is_pressure() -> None:
    text = TOML.format("pressure") + '\n[workers]\ncount = 1\nthreads = 2\nqueue = "10ms"\n'
    with served({"shop.py": APP, "portico.toml": text}) as run, client(run, "203.0.113.1") as someone:
        assert someone.get("/search", headers=HTML).status_code == 200
        with ThreadPoolExecutor(64) as threads:
            try:
                for _ in range(40):
                    threads.submit(httpx.get, f"{run.url}/gate", timeout=240)
                until(lambda: (run.runtime / "challenge" / "on").exists())
                answer = someone.get("/search", headers=HTML)
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
                assert "very busy" in answer.text
                assert someone.get("/search").json()["error"]["title"] == "No pass"
            finally:
                (run.directory / "open").touch()
        assert solve(someone).status_code == 204
        until(lambda: someone.get("/search").status_code == 200)
        until(lambda: "costly routes ask for a pass" in run.stderr())


@pytest.mark.usefixtures("_needs_nginx")
def test_a_dry_run_asks_nobody_and_tells_whom_it_would() -> None:
    text = TOML.format("always").replace("[headers]", "challenge_dry_run = true\n[headers]")
    with served({"shop.py": APP, "portico.toml": text}) as run, client(run, "203.0.113.1") as someone:
        assert someone.get("/search?dry").status_code == 200
        until(
            lambda: (
                [line["refused_by"] for line in run.requests() if line["uri"] == "/search?dry"]
                == ["challenge, dry run"]
            )
        )
