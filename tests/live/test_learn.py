"""`portico learn` in a terminal: a wrong answer gets the hint, the right one the evidence, in every lesson."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from portico.learn.course import CHAPTERS
from tests.support import environment, private_directory
from tests.support.process import is_alive
from tests.support.terminal import Terminal, in_terminal
from tests.support.until import until

PROMPT, GO_ON = "q to end:", "Enter goes on, q ends:"
KNOWN = {
    "Which client address did the app see?": "127.0.0.1",
    "GET /: which location answers?": "location /",
    "GET /static/shop.css, a static file: which step of GET / was missing?": "the worker calls the app",
    "location /shop/ { proxy_pass http://app/; } gets GET /shop/cart": "/cart",
    "A client asked for /static/shop.css. What did it get?": "200, the file, from nginx",
}
"""One question of each lesson, and what nginx and Portico are known to do."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with private_directory() as made:
        yield made


@pytest.fixture(scope="module")
def terminal(home: Path) -> Iterator[Terminal]:
    env = environment(home) | {"NO_COLOR": "1", "TERM": "xterm"}
    with in_terminal([sys.executable, "-m", "portico", "learn"], home, env) as made:
        yield made


def choices(screen: str) -> dict[str, int]:
    return {text: int(number) for number, text in re.findall(r"^  (\d)  (.+)$", screen, re.MULTILINE)}


def answer(terminal: Terminal, known: str = "") -> None:
    """With `known` first wrongly; else one choice after the other."""
    found = choices(terminal.screen)
    tries = [*found.values()]
    if known:
        wrong = next(number for text, number in found.items() if text != known)
        tries = [wrong, found[known]]
    for at, number in enumerate(tries):
        terminal.type(f"{number}\n")
        _until_any(terminal, GO_ON, f"Not {number}.")
        if GO_ON in terminal.screen:
            assert f"Right: {number}, " in terminal.screen
            assert not known or at == 1
            return
        assert f"Not {number}." in terminal.screen
        assert "Hint: " in terminal.screen
    pytest.fail(f"no choice was right:\n{terminal.screen}")


def _until_any(terminal: Terminal, *words: str) -> None:
    until(lambda: any(one in terminal.screen for one in words), lambda: terminal.shown[-3000:])


def _until_gone(terminal: Terminal, words: str) -> None:
    """The next screen, or the end."""
    until(
        lambda: words not in terminal.screen or terminal.process.poll() is not None,
        lambda: terminal.shown[-3000:],
    )


def test_all_lessons_are_answered(terminal: Terminal) -> None:
    left, titles = dict(KNOWN), set[str]()
    terminal.until_shown(PROMPT)
    assert "the lessons use an example" in terminal.shown
    terminal.type("?\n")
    terminal.until_shown("Hint: ")
    terminal.type("nine\n")
    terminal.until_shown("Type a number from 1 to")
    terminal.until_shown(PROMPT, 3)
    processes = psutil.Process(terminal.process.pid).children(recursive=True)
    assert processes
    while True:
        lesson, question = re.findall(r"lesson (\d) of \d, question (\d)", terminal.screen)[0]
        titles.add(CHAPTERS[int(lesson) - 1].title)
        assert CHAPTERS[int(lesson) - 1].title in terminal.screen
        flat = " ".join(terminal.screen.split())
        known = next((words for words in left if words in flat), "")
        answer(terminal, left.pop(known, ""))
        evidence = terminal.screen.rpartition("Right: ")[2]
        assert re.search(r"^  \S.*\.$", evidence, re.MULTILINE)
        assert "\n  portico " in evidence
        here = f"lesson {lesson} of 5, question {question} of "
        terminal.type("\n")
        _until_gone(terminal, here)
        if "answered right at once" in terminal.shown or terminal.process.poll() is not None:
            break
        terminal.until_shown(PROMPT)
    assert left == {}
    assert titles == {one.title for one in CHAPTERS}
    assert terminal.process.wait(60) == 0
    assert [one for one in processes if is_alive(one)] == []
