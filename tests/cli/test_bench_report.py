"""The page of `portico bench --html`: hostile words, what it says, and which files it replaces."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import Browser, sync_playwright

from portico.cli.bench.report.file import refuse_other_files, write
from portico.cli.bench.report.markup import tag
from portico.cli.bench.report.origin import command, masking
from portico.cli.bench.report.page import BEGIN, Report, page
from portico.cli.bench.report.plot import factor_of, interval
from portico.errors import UsageError
from portico.measure.model import MIX, Contender, Part, Results, Route, Sample
from portico.measure.statistics import Ratio
from portico.measure.verdict import changes

EVIL = "\"><script>alert(1)</script><img src=//x.example/y onerror=a>&'\x1b[31m\u202e\x00\udc80"
_VOID = {"meta"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "no browser: scripts/apt chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium)
        yield started
        started.close()


class _Read(HTMLParser):
    """The elements, the attributes, and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _read(text: str) -> _Read:
    made = _Read()
    made.feed(text)
    made.close()
    return made


def _sample(contender: str, route: str, number: int, cost: float) -> Sample:
    return Sample(
        contender, route, number, 1000, 1.0, cost / 50, cost / 20, 0, {"app": cost, "gateway": 100.0},
        {"app": 60.0}, 2, 2,
    )  # fmt: skip


def _results(path: str = "/items", name: str = "Portico", **fields: Any) -> Results:
    samples = [
        _sample(key, path, number, cost + 10 * number)
        for key, cost in (("portico", 300.0), ("gunicorn", 900.0))
        for number in range(3)
    ]
    contenders = [
        Contender("gunicorn", "Gunicorn alone", "2 sync workers", slow_clients=False),
        Contender("portico", name, "nginx"),
    ]
    routes = [Route(path, "the log", 0.5)]
    date = "2026-12-01T00:00:00+00:00"
    made = Results(date, "shop:app", "a machine", 3, 1, 64, routes, contenders, samples, [])
    return replace(made, **fields)


def _page(results: Results, **fields: Any) -> str:
    usual: dict[str, Any] = {
        "base": "portico", "changes": [], "command": "portico bench", "versions": "", "mask": str,
    }  # fmt: skip
    return page(Report(results, **(usual | fields)))


def test_no_word_of_the_app_becomes_an_element_or_an_attribute() -> None:
    plain = _read(_page(_results(problems=["x"])))
    results = _results(f"/{EVIL}", EVIL, app=EVIL, machine=EVIL, problems=[EVIL])
    missing = Contender(EVIL, EVIL, EVIL, missing=EVIL)
    first, second = results.contenders
    results = replace(results, contenders=[first, replace(second, detail=EVIL), missing])
    made = _page(results, command=EVIL, versions=EVIL)
    hostile = _read(made)
    assert sorted(set(hostile.names)) == sorted(set(plain.names))
    assert "script" not in hostile.names
    assert {name for name, _ in hostile.attributes} <= {name for name, _ in plain.attributes}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", made)
    made.encode()  # half of a character is an escape
    assert "<script>alert(1)</script>" in "".join(hostile.texts)


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    seen = _read(_page(_results()))
    loading = {"src", "href", "srcset", "action", "data", "style", "xlink:href"}
    assert not loading & {name for name, _ in seen.attributes}
    assert not any(name.startswith("on") for name, _ in seen.attributes)
    assert "default-src 'none'; style-src 'unsafe-inline'" in [value for _, value in seen.attributes]
    style = "".join(seen.texts)
    assert "url(" not in style
    assert "@import" not in style


def test_it_says_what_the_terminal_says() -> None:
    made = "".join(_read(_page(_results(), versions="nginx 1.26", command="portico bench --html x")).texts)
    for words in (
        "410 (400 to 420)", "2.46 x CPU", "slow clients stop it", "50% of the requests", "a machine", "nginx 1.26",
        "portico bench --html x", "waiting: only 0.4 of 2 cores are used", "the others are compared with this",
        "medians of 3 rounds",
    ):  # fmt: skip
        assert words in made


def test_before_and_after_are_intervals() -> None:
    results = _results()
    found = changes(results, "portico", "gunicorn")
    made = "".join(_read(_page(results, base="", changes=found)).texts)
    assert "slower: GET /items takes 2.9" in made
    assert "What limits each" not in made
    assert "verdict" not in made


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 1.0), (2.0, 1e-300, 1e300), (0.5, 0.4, math.inf)])
def test_any_interval_can_be_drawn(wrong: tuple[float, float, float]) -> None:
    ratio = Ratio(*wrong, 3)
    assert "nan" not in interval(ratio, factor_of([ratio]))


def test_the_paths_of_a_mix_are_listed_with_their_shares() -> None:
    mix = Route(MIX, "4 of 9 requests", mix=(Part(f"/{EVIL}", 3), Part("/b?token=abc", 1)))
    made = _page(_results(MIX, routes=[mix]), mask=masking(None))
    seen = _read(made)
    assert not {"script", "img"} & set(seen.names)
    assert "75% /&quot;&gt;" in made
    assert "25% /b?token=(masked, 3 bytes)" in seen.texts
    assert "the log's mix from 4 of 9 requests" in "".join(seen.texts)


def test_a_server_elsewhere_has_neither_load_nor_memory() -> None:
    results = _results()
    bare = [replace(one, cpu_us={}, memory_mb={}) for one in results.samples]
    made = "".join(_read(_page(replace(results, samples=bare), base="")).texts)
    assert "CPU time of a request" not in made
    assert "Response time, p50 above p99" in made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nobody_is_shut_out(browser: Browser, scheme: Any, width: int, tmp_path: Path) -> None:
    """axe-core's rules, and no page that scrolls sideways; nothing is asked of anybody."""
    results = _results("/long-word-" * 20, problems=["a problem"])
    found = changes(results, "portico", "gunicorn")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    with context:
        shown, asked, complaints = context.new_page(), list[str](), list[str]()
        shown.on("request", lambda one: asked.append(one.url))
        shown.on("console", lambda one: complaints.append(one.text))
        for number, text in enumerate((_page(results), _page(results, base="", changes=found))):
            file = tmp_path / f"{number}.html"
            file.write_text(text)
            asked.clear()
            shown.goto(file.as_uri())
            assert asked == [file.as_uri()]
            faults = Axe().run(shown).response["violations"]
            assert [(fault["id"], fault["nodes"][0]["html"]) for fault in faults] == []
            element = "document.documentElement"
            wide = shown.evaluate(f"[{element}.scrollWidth, {element}.clientWidth]")
            assert wide[0] <= wide[1], "the page scrolls sideways"
        assert complaints == []


def test_secrets_of_the_command_are_hidden() -> None:
    mask = masking(None)
    typed = ["bench", "--env", "DATABASE_URL=postgres://a:b@c/d", "--env=KEY=value=x"]
    typed += ["--route", "/a b?token=abc&page=2"]
    said = command(typed, mask)
    assert said.startswith(
        "portico bench --env 'DATABASE_URL=***' '--env=KEY=***' --route '/a b?token=(masked, 3 bytes)"
    )
    assert "page=2" in said
    assert mask("https://user:word@example.com/x?password=abc") == (
        "https://user:***@example.com/x?password=(masked, 3 bytes)"
    )


def test_text_and_attributes_are_escaped() -> None:
    assert tag("p", "<b>", class_='"x"', title=None) == '<p class="&quot;x&quot;">&lt;b&gt;</p>'


def test_only_a_report_or_nothing_is_replaced(tmp_path: Path) -> None:
    new, old, other, empty = (tmp_path / name for name in ("new", "old", "other", "empty"))
    old.write_text(f"{BEGIN}an older one")
    old.chmod(0o640)
    other.write_text("<!doctype html>\n<p>my own page")
    empty.touch()
    for path in (new, old, empty):
        refuse_other_files(path)
        write(path, BEGIN)
        assert path.read_text() == BEGIN
    assert old.stat().st_mode & 0o777 == 0o640
    with pytest.raises(UsageError, match="is not a report of portico bench, and stays as it is"):
        write(other, BEGIN)
    assert "my own page" in other.read_text()
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(old)
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        with pytest.raises(UsageError, match="is no ordinary file"):
            refuse_other_files(path)
    with pytest.raises(UsageError, match="there is no directory"):
        refuse_other_files(tmp_path / "none" / "report.html")
