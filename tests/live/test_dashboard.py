"""The dashboard in a real browser: it lives, a keyboard is enough, a phone will do, nothing leaves the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, HttpCredentials, Page, expect, sync_playwright

from tests.support import Served, environment, free_port, served

APP = """
from flask import Flask
app = Flask(__name__)

@app.get("/")
def home():
    return "home"

@app.get("/boom")
def boom():
    raise RuntimeError("<b>boom</b>")
"""
WAIT_MS = 90_000
expect.set_options(timeout=WAIT_MS)
HOSTILE = '/<img/src="x"onerror="document.title=1">'


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(port: int) -> Iterator[Served]:
    toml = f'[dashboard]\nlisten = "127.0.0.1:{port}"\n'
    with served({"app.py": APP, "portico.toml": toml}, "app:app") as run:
        yield run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "no browser: scripts/apt chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, timeout=WAIT_MS)
        yield started
        started.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, site: Served, port: int) -> Iterator[Page]:
    """The dashboard, live; at its end nothing was complained about and nobody else was asked."""
    how = {"width": 1280, "height": 900, "scheme": "light"} | getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": how["width"], "height": how["height"]},
        color_scheme=how["scheme"],
        http_credentials=_key(site),
    )
    made = context.new_page()
    made.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    hosts: set[str] = set()
    made.on("console", lambda message: complaints.append(message.text))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda asked: hosts.add(urlsplit(asked.url).netloc))
    made.goto(f"http://127.0.0.1:{port}/")
    expect(made.locator("#state")).to_contain_text("serving")
    yield made
    context.close()
    assert complaints == []
    assert hosts == {f"127.0.0.1:{port}"}


def _key(site: Served) -> HttpCredentials:
    """The password that Portico made, before which nobody on this machine gets in."""
    return {"username": "me", "password": (site.state / "look.password").read_text().strip()}


PHONE = {"width": 360, "height": 740}


def test_requests_appear_by_themselves(page: Page, site: Served) -> None:
    for number in range(5):
        site.get(f"/?visit={number}")
    expect(page.locator("#requests td.path", has_text="visit=4")).to_be_visible()
    _until_there_is_a_rate(page, site)
    gateway = "apache" if site.is_apache else "nginx"
    assert f"clients to {gateway}" in (page.locator("#flow svg").get_attribute("aria-label") or "")
    expect(page.locator("#charts svg")).to_have_count(4)
    expect(page.locator("#routes tr")).not_to_have_count(0)


def _until_there_is_a_rate(page: Page, site: Served) -> None:
    """It is of the last moment: a page that is slow to draw may not see that of requests which were before."""
    give_up = time.monotonic() + WAIT_MS / 1000
    while page.locator("#flow .rate").first.text_content() in (None, "0/s"):
        assert time.monotonic() < give_up
        site.get("/?visit=more")


def test_a_failure_is_shown_and_opens_as_its_fields(page: Page, site: Served) -> None:
    name = site.get("/boom").headers["X-Request-ID"]
    error = page.locator("#errors details", has_text="/boom").first
    error.locator("summary").click()
    error.get_by_role("button", name="The request").click()
    expect(page.locator("#detail")).to_be_visible()
    # Equal failures are one line, which opens the request of its last time: another test's, perhaps.
    expect(page.locator("#detail-title")).to_have_text(re.compile(r"^500 GET /boom"))
    page.locator("#detail").get_by_role("button", name="Close").click()
    page.locator("#filter").fill(name)
    expect(page.locator("#requests td.path")).to_have_text(["/boom"])


def test_what_a_person_is_at_outlives_an_update(page: Page, site: Served) -> None:
    """Unfolded, focused and pressed: the error comes again meanwhile."""
    site.get("/boom?read")
    error = page.locator("#errors details", has_text="/boom").first
    error.locator("summary").click()
    button = error.get_by_role("button", name="The request")
    button.focus()
    for turn in range(3):
        site.get(f"/boom?read={turn}")
        expect(error.locator("summary")).to_contain_text(f"/boom?read={turn}")
        expect(button).to_be_focused()
    button.hover()
    page.mouse.down()
    site.get("/boom?pressed")
    page.wait_for_timeout(1500)  # what came is drawn within a second, where nobody presses
    page.mouse.up()
    expect(page.locator("#detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(error.locator("summary")).to_contain_text("/boom?pressed")
    expect(button).to_be_focused()


def test_equal_failures_are_one(page: Page, site: Served) -> None:
    for _ in range(3):
        site.get("/boom?again")
    error = page.locator("#errors details", has_text="/boom")
    # For a moment there may be two: the words of the last ones, and those that have their requests.
    expect(error.filter(has_text=re.compile(r"\d+ times")).filter(has_text="500 GET /boom")).to_have_count(1)
    expect(error).to_have_count(1)


def test_strangers_words_stay_words(page: Page, site: Served) -> None:
    line = f"GET {HOSTILE} HTTP/1.0\r\nUser-Agent: <script>document.title=2</script>\r\n\r\n"
    site.raw(line.encode())
    row = page.locator("#requests tr", has_text="onerror").first
    row.get_by_role("button").click()
    expect(page.locator("#detail-title")).to_contain_text(HOSTILE)
    expect(page.locator("#detail-body")).to_contain_text("<script>document.title=2</script>")
    assert page.locator("img, #detail script").count() == 0
    assert page.title().endswith(" requests/s")


def test_a_keyboard_is_enough(page: Page, site: Served) -> None:
    for key in ("key=1", "key=2"):  # in this order: two workers of nginx may write theirs in the other one
        site.get(f"/?{key}")
        expect(page.locator("#requests td.path", has_text=key)).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.type("key=")
    expect(page.locator("#requests td.path")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#detail-title")).to_have_text("200 GET /?key=1")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).not_to_be_visible()
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    before = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") != before


def test_every_control_can_be_reached_with_tab(page: Page) -> None:
    wanted = {"pause", "theme", "help", "filter"}
    for _ in range(40):
        page.keyboard.press("Tab")
        wanted.discard(page.evaluate("document.activeElement.id"))
        if not wanted:
            return
    pytest.fail(f"not reached: {wanted}")


def test_a_traced_request_opens_as_a_walk(page: Page, site: Served) -> None:
    command = [sys.executable, "-m", "portico", "trace", "/?walk=1"]
    subprocess.run(command, cwd=site.directory, env=environment(site.directory), check=True, timeout=100)
    row = page.locator("#requests tr", has_text="walk=1").first
    expect(row).to_contain_text("traced")
    row.get_by_role("button").click()
    walk = page.locator(".walk")
    expect(walk.locator(".where")).to_have_text(re.compile(r"step 1 of \d\d"))
    expect(walk.locator(".places [aria-current]")).to_have_text("client")
    seen: set[str | None] = set()
    while walk.get_by_role("button", name="Forward").is_enabled():
        page.keyboard.press("ArrowRight")
        seen.add(walk.locator(".places [aria-current]").text_content())
        if "chooses location /" in (walk.text_content() or ""):
            expect(walk.locator(".line code")).to_have_text("location / {")
            expect(walk.locator("[aria-live] .none").last).not_to_be_empty()  # why that line is there
    assert seen == {"client", "gateway", "link", "worker", "app"}
    expect(walk.locator("table")).to_contain_text("200 OK")
    _has_no_fault(page)
    page.keyboard.press("ArrowLeft")
    expect(walk.locator(".where")).to_have_text(re.compile(r"step \d+ of \d\d"))
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).not_to_be_visible()


def test_a_traced_request_asks_and_answers_with_what_happened(page: Page, site: Served) -> None:
    command = [sys.executable, "-m", "portico", "trace", "/?asked=1"]
    subprocess.run(command, cwd=site.directory, env=environment(site.directory), check=True, timeout=100)
    page.locator("#requests tr", has_text="asked=1").first.get_by_role("button").click()
    page.get_by_role("button", name="Ask me about it").click()
    expect(page.locator(".quiz legend")).to_have_count(1)
    quiz, count = page.locator(".quiz"), 0
    while quiz.locator("legend").count():
        count += 1
        expect(quiz.locator("legend small")).to_have_text(re.compile(rf"question {count} of \d"))
        said = quiz.locator("[aria-live]")
        quiz.get_by_role("button", name="Hint").click()
        expect(said).not_to_be_empty()
        for choice in quiz.get_by_role("radio").all():
            choice.check()
            quiz.get_by_role("button", name="Answer").click()
            expect(said).to_contain_text(re.compile(r"Right\.|Not that one\."))
            if "Right." in (said.text_content() or ""):
                break
        expect(said).to_contain_text(re.compile(r"Right\. .+\."))  # with its evidence
        _has_no_fault(page)
        quiz.get_by_role("button", name=re.compile("Next question|Done")).click()
    assert count > 3
    expect(quiz).to_contain_text(re.compile(rf"\d of {count} answered right at once"))
    _has_no_fault(page)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_phone_is_wide_enough(page: Page, site: Served) -> None:
    site.get(f"/{'long-word-' * 30}")
    expect(page.locator("#requests td.path", has_text="long-word-")).to_have_count(1)
    width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] <= width[1], "the page scrolls sideways"
    box = page.locator("#flow svg").bounding_box()
    assert box is not None
    assert box["height"] > box["width"] * 0.7, "the picture lies on its side"


@pytest.mark.parametrize("page", [{}, {"scheme": "dark"}, PHONE], indirect=True)
def test_nobody_is_shut_out(page: Page, site: Served) -> None:
    """axe-core's rules: contrast, names, roles, order."""
    site.get("/boom")
    expect(page.locator("#errors details").first).to_be_visible()
    expect(page.locator("#requests button").first).to_be_visible()  # its line comes after its words
    page.keyboard.press("p")
    page.locator("#errors summary").first.click()
    _has_no_fault(page)
    page.locator("#requests button").first.click()
    _has_no_fault(page)


def _has_no_fault(page: Page) -> None:
    faults = Axe().run(page).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in faults] == []


def test_a_reload_is_a_mark(page: Page, site: Served) -> None:
    command = [sys.executable, "-m", "portico", "reload"]
    subprocess.run(command, cwd=site.directory, env=environment(site.directory), check=True, timeout=100)
    expect(page.locator("#marks")).to_contain_text(re.compile(r"release \d+ serves"))
    expect(page.locator("#flow")).to_contain_text(re.compile(r"release [2-9]"))
    expect(page.locator(".plot line.good").first).to_be_attached()


def test_a_client_that_left_and_a_line_that_cannot_be_read_are_told(page: Page, site: Served) -> None:
    """That nginx writes 499 is test_log_lines' matter."""
    with (site.state / "access.log").open("ab") as log:
        log.write(
            b'{"time":"2026-11-29T01:43:59+00:00","id":"a","method":"GET","uri":"/gone","status":499}\n{torn\n'
        )
    row = page.locator("#requests tr", has_text="/gone")
    expect(row).to_contain_text("499 client left")
    expect(page.locator("#unread")).to_have_text("1 line of access.log could not be read")
    row.locator("button").click()
    expect(page.locator("#detail-title")).to_have_text("499 client left GET /gone")
    expect(page.locator("#detail-body dl.fields")).to_contain_text("outcome")
