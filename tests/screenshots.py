"""Pictures of `portico top`, `portico trace` and the dashboard: the example shop under load, through a real browser.

`make screenshots`, then look at docs/pictures.
"""

from __future__ import annotations

import fcntl
import os
import pty
import random
import shutil
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from playwright.sync_api import Browser, HttpCredentials, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.support import ROOT, Served, end, environment, free_port, private_directory, start, until_ready
from tests.support.process import running

PICTURES = ROOT / "docs" / "pictures"
SECONDS = 75
RELOAD_AFTER = 40
COLUMNS, LINES = 150, 34
PATHS = (
    *("/", "/", "/", "/about", "/cart", "/static/shop.css", "/static/shop.js", "/login", "/nowhere") * 8,
    "/fail",
)


def main() -> None:
    with private_directory() as home:
        dashboard = free_port()
        how = ["--dashboard", f"127.0.0.1:{dashboard}", "--name", "shop"]
        shutil.copytree(ROOT / "examples" / "shop", home, dirs_exist_ok=True)
        run = start(home, *how, env={"SHOP_DATABASE": str(home / "shop.sqlite")})
        try:
            until_ready(run, 300)
            with _visitors(run):
                time.sleep(RELOAD_AFTER)
                _portico(run, "reload", "--name", "shop")
                time.sleep(SECONDS - RELOAD_AFTER)
                top = _shown(run, "top", "--once")
                trace = _shown(run, "trace", "/")
                word = (run.state / "look.password").read_text().strip()
                who: HttpCredentials = {"username": "me", "password": word}
                with _browser() as browser:
                    _page(browser, f"http://127.0.0.1:{dashboard}/", who, "dashboard.png", 1280, 1010)
                    _page(
                        browser,
                        f"http://127.0.0.1:{dashboard}/",
                        who,
                        "dashboard-dark.png",
                        1280,
                        1010,
                        "dark",
                    )
                    _page(browser, f"http://127.0.0.1:{dashboard}/", who, "dashboard-phone.png", 390, 844)
                    _walk(browser, f"http://127.0.0.1:{dashboard}/", who, "walk.png")
                    _terminal(browser, top, "top.png")
                    _terminal(browser, trace, "trace.png")
        finally:
            end(run)


@contextmanager
def _visitors(run: Served) -> Iterator[None]:
    over = threading.Event()

    def visit(seed: int) -> None:
        dice = random.Random(seed)
        with httpx.Client(timeout=30) as client:
            while not over.wait(dice.expovariate(12)):
                with suppress(httpx.TransportError):
                    client.get(run.url + dice.choice(PATHS))

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _portico(run: Served, *words: str) -> None:
    command = [sys.executable, "-m", "portico", *words]
    subprocess.run(command, cwd=run.directory, env=environment(run.directory), check=True, timeout=100)


def _shown(run: Served, *words: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "portico", *words, "--name", "shop"]
    env = environment(run.directory) | {"TERM": "xterm-256color"}
    with running(command, cwd=run.directory, env=env, stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        text = b""
        with suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 65536):
                text += piece
        os.close(ours)
        assert process.wait(60) == 0
    return text.decode()


@contextmanager
def _browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "no browser: scripts/apt chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


def _page(
    browser: Browser,
    url: str,
    who: HttpCredentials,
    name: str,
    width: int,
    height: int,
    scheme: str = "light",
) -> None:
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        http_credentials=who,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(4000)
    page.screenshot(path=PICTURES / name)
    context.close()


def _walk(browser: Browser, url: str, who: HttpCredentials, name: str) -> None:
    """The newest traced request, opened at nginx's choice of a location."""
    page = browser.new_page(viewport={"width": 1280, "height": 1010}, http_credentials=who)
    page.goto(url)
    page.locator("#requests tr", has_text=" traced").first.get_by_role("button").click()
    for _ in range(4):
        page.get_by_role("button", name="Forward").click()
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / name)
    page.close()


def _terminal(browser: Browser, text: str, name: str) -> None:
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    console.print(Text.from_ansi(text.replace("\r\n", "\n").rstrip()))
    page = browser.new_page(viewport={"width": 1310, "height": 200})
    html = console.export_html(theme=MONOKAI, inline_styles=True)
    page.set_content(html)
    page.add_style_tag(content="body { margin: 14px } pre { font: 14px/1.3 monospace !important }")
    page.screenshot(path=PICTURES / name, full_page=True)


if __name__ == "__main__":
    main()
