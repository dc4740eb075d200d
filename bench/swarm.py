"""`python -m bench.swarm`: what a swarm of crawlers costs the app, without the challenge and with it.

A thousand addresses, named by a declared proxy, ask a costly route together far more often than the app can answer.
None of them runs scripts. CPU is that of all processes of the app's server, of nginx or of Portico, divided by the
time. Then, while the swarm goes on, a browser (chromium) with an address of its own opens the same page, each time
without a pass, and once more with it. Wanted: 95 % less CPU, and a browser that is there in a second.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
import httpx
import psutil
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.support import Served, served
from tests.support.until import until

_APP = """
import time
from flask import Flask
from portico import edge

app = Flask(__name__)


@app.get("/")
def home():
    return "home"


@app.get("/search")
@edge.costly
def search():
    ends = time.thread_time() + 0.05
    while time.thread_time() < ends:
        pass
    return "<title>found</title><h1>found</h1>"
"""
_TOML = """
app = "shop:app"
behind = ["127.0.0.1"]

[guard]
challenge = "{}"

[log]
show = "off"
"""
_HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
_LESS, _BROWSER_SECONDS = 0.95, 1.0
_GIVE_UP_SECONDS = 10.0


@dataclass
class Row:
    """One way to run the site under the swarm. CPU is a share of one processor."""

    app: float = 0.0
    nginx: float = 0.0
    portico: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    opened: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    began: float = 0.0
    """Seconds until the site asked for a pass."""


@click.command()
@click.option("--rate", type=click.IntRange(1), default=200, show_default=True, help="Requests a second.")
@click.option("--addresses", type=click.IntRange(1, 65536), default=1000, show_default=True)
@click.option(
    "--seconds", type=click.IntRange(5), default=30, show_default=True, help="Seconds that are measured."
)
@click.option(
    "--browsers", type=click.IntRange(0), default=8, show_default=True, help="Times that a browser comes."
)
@click.option("--nginx", "builds", multiple=True, default=("embedded", "system"), show_default=True)
def main(rate: int, addresses: int, seconds: int, browsers: int, builds: tuple[str, ...]) -> None:
    """Measure what a swarm costs with and without the challenge."""
    table = Table(
        "nginx", "challenge", "app's CPU", "less", "nginx's", "Portico's", "200", "429", "503", "other",
        "asks after", "browser, no pass", "browser, pass",
    )  # fmt: skip
    with _chromium() as browser:
        for build in builds:
            without = 0.0
            for mode in ("off", "pressure", "always"):
                row = _measured(
                    build, mode, rate, addresses, seconds, browser, browsers if mode != "off" else 0
                )
                without = without or row.app
                table.add_row(build, mode, *_words(row, without))
    console = Console(width=160)
    console.print(table)
    console.print(
        f"{addresses} addresses, {rate} requests a second in all; wanted: at least {_LESS:.0%} less, and the browser's "
        f"page within {_BROWSER_SECONDS:g} s"
    )


def _words(row: Row, without: float) -> Iterator[str]:
    yield f"{row.app:.1%}"
    yield f"{1 - row.app / without:.1%}" if without else ""
    yield f"{row.nginx:.1%}"
    yield f"{row.portico:.1%}"
    known = (200, 429, 503)
    yield from (str(row.answers[status]) for status in known)
    yield str(sum(count for status, count in row.answers.items() if status not in known))
    yield f"{row.began:.1f} s"
    for times in (row.opened, row.again):
        yield f"{statistics.median(times):.2f} s (to {max(times):.2f})" if times else ""


def _measured(
    build: str, mode: str, rate: int, addresses: int, seconds: int, browser: Browser, browsers: int
) -> Row:
    row = Row()
    files = {"shop.py": _APP, "portico.toml": _TOML.format(mode)}
    with served(files, "--nginx", build) as run, _swarm(run, rate, addresses, row):
        began = time.monotonic()
        if mode == "pressure":
            until(lambda: (run.runtime / "challenge" / "on").exists())
            row.began = time.monotonic() - began
        time.sleep(_GIVE_UP_SECONDS)  # what came before is answered, or has given up
        row.answers.clear()
        before, since = _cpu(run), time.monotonic()
        time.sleep(seconds)
        elapsed, after = time.monotonic() - since, _cpu(run)
        row.answers = Counter(row.answers)
        row.app, row.nginx, row.portico = ((after[role] - before[role]) / elapsed for role in after)
        for _ in range(browsers):
            _open(browser, run, row)
    return row


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


def _open(browser: Browser, run: Served, row: Row) -> None:
    """The page, with nothing from before; and once more, with the pass."""
    context = browser.new_context(extra_http_headers={"X-Forwarded-For": "198.51.100.7"})
    page = context.new_page()
    page.goto(f"{run.url}/")
    for times in (row.opened, row.again):
        began = time.monotonic()
        page.goto(f"{run.url}/search", wait_until="commit")
        page.locator("h1", has_text="found").wait_for(timeout=60_000)  # `expect` looks twice a second
        times.append(time.monotonic() - began)
    context.close()


@contextmanager
def _swarm(run: Served, rate: int, addresses: int, row: Row) -> Iterator[None]:
    """Asks evenly, from a thread, until it is enough; nobody waits for the answer before."""
    enough = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_crawl(run, rate, addresses, row, enough)))
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


async def _crawl(run: Served, rate: int, addresses: int, row: Row, enough: threading.Event) -> None:
    limits = httpx.Limits(max_connections=4000, max_keepalive_connections=100)
    tasks, begin, number = set[asyncio.Task[None]](), time.monotonic(), 0
    async with httpx.AsyncClient(limits=limits, timeout=_GIVE_UP_SECONDS) as http:

        async def ask(client: str) -> None:
            headers = {"X-Forwarded-For": client, "Accept": _HTML, "User-Agent": "crawler"}
            try:
                answer = await http.get(f"{run.url}/search?q={client}", headers=headers)
                row.answers[answer.status_code] += 1
            except httpx.HTTPError:
                row.answers[0] += 1

        while not enough.is_set():
            at = number % addresses
            task = asyncio.create_task(ask(f"10.0.{at >> 8}.{at & 255}"))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _cpu(run: Served) -> dict[str, float]:
    """Seconds of CPU so far, of the app's server, of nginx, and of Portico itself."""
    found = dict.fromkeys(("app", "nginx", "portico"), 0.0)
    for one in (psutil.Process(run.process.pid), *run.processes()):
        try:
            words, times = " ".join(one.cmdline()), one.cpu_times()
        except psutil.Error:
            continue
        role = "nginx" if "nginx" in one.name() else "app" if "arbiter" in words else "portico"
        found[role] += times.user + times.system
    return found


if __name__ == "__main__":
    main()
