"""What the documentation shows of commands that ask a running site is what they print, but for figures and places."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.support import Served, end, portico, private_directory, start, until_ready, write_files
from tests.test_docs import PAGES, ROOT
from tests.test_docs_output import matches

COMMANDS = ("status", "scale", "maintenance", "pause")
APP = "from flask import Flask\n\napp = Flask(__name__)\n"
_FIGURE = re.compile(r"(?<![\w.])\d[\d,.]*( (ms|s|min|h|d|B|KiB|MiB|GiB)\b)?")
_PLACE = re.compile(r"(https?:/)?/\S+")


def shown() -> list[tuple[str, str, list[str]]]:
    """Page, what stands behind `$`, and the output below it."""
    made = []
    for path in PAGES:
        for block in re.findall(r"^```\n\$ (portico .*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            command, *lines = block.splitlines()
            if command.split()[1] in COMMANDS and not command.endswith("--help"):
                made.append((str(path.relative_to(ROOT)), command, lines))
    return made


def shape(lines: list[str]) -> list[str]:
    """The lines without what is of one moment and one machine: figures with their units, paths, the number of rows."""
    places = (_PLACE.sub("PLACE", line) for line in lines)
    made = [" ".join(_FIGURE.sub("N", line).split()) for line in places]
    return [line for line, _ in groupby(made)]


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with private_directory() as home:
        app = home / "shop"
        app.mkdir()
        write_files(app, {"shop.py": APP})
        run = start(app, "shop:app", "--workers", "2", "--name", "shop")
        try:
            until_ready(run)
            run.until_all_have_loaded(2)
            yield run
        finally:
            end(run)


@pytest.mark.of_nginx  # the pages name it
@pytest.mark.parametrize(("page", "command", "output"), shown(), ids=lambda value: str(value)[:40])
def test_a_command_prints_what_the_page_shows(
    site: Served, page: str, command: str, output: list[str]
) -> None:
    printed = ""
    for part in command.split(" && "):
        program, *words = shlex.split(part)
        if program == "portico":  # a block may name programs of the reader's own
            done = portico(*words, cwd=site.directory)
            assert done.returncode == 0, done.stderr
            printed += done.stdout + done.stderr
    portico("maintenance", "off", cwd=site.directory)
    assert matches(shape(printed.splitlines()), shape(output)), printed


def test_the_pages_show_such_commands() -> None:
    assert {command.split()[1] for _, command, _ in shown()} == set(COMMANDS)
