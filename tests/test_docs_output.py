"""What the documentation shows of a command that needs no running site is what the command prints, to the letter."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from portico.cli import portico
from portico.cli.errors import exit_code_of
from tests.commands_page import CUT, page
from tests.support import private_directory
from tests.test_docs import PAGES, ROOT

COMMANDS = ROOT / "docs/commands.md"
FILES = Path(__file__).parent / "documented"
PLACES = {"/etc/apache2": "apache2", "/etc/nginx": "nginx", "/srv/draft": "draft", "/srv/shop": "shop"}
"""Directories as the documentation names them, and where their files are; commands run in the last one."""
NEED_NO_SITE = ("check", "explain", "options", "plan")


class Shown(NamedTuple):
    """A block of a page: the command behind `$`, and what it prints; `...` stands for lines, or for the rest of one."""

    page: str
    command: str
    output: list[str]


def shown() -> Iterator[Shown]:
    for path in PAGES:
        if path == COMMANDS:
            continue
        for block in re.findall(r"^```\n\$ (portico .*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            command, *output = block.splitlines()
            if command.split()[1] in NEED_NO_SITE or command.endswith("--help"):
                yield Shown(str(path.relative_to(ROOT)), command, output)


def matches(output: list[str], pattern: list[str]) -> bool:
    lines = (re.escape(line).replace(r"\.\.\.", ".*") + r"\n" for line in pattern)
    expected = "".join(r"(?:.*\n)*" if line == r".*\n" else line for line in lines)
    return re.fullmatch(expected, "".join(f"{line}\n" for line in output)) is not None


@pytest.fixture
def places() -> Iterator[dict[str, str]]:
    """Where the directories of PLACES are for the moment."""
    with private_directory() as directory:
        shutil.copytree(FILES, directory, dirs_exist_ok=True)
        yield {name: str(directory / own) for name, own in PLACES.items()}


@pytest.mark.parametrize("block", [*shown()], ids=lambda block: f"{block.page}: {block.command}")
def test_a_command_prints_what_the_documentation_shows(
    block: Shown,
    places: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(places["/srv/shop"])
    words = [replaced(word, places) for word in shlex.split(block.command)[1:]]
    exit_code_of(lambda: portico.main(words, prog_name="portico", standalone_mode=False))
    printed = capsys.readouterr()
    text = replaced(printed.out + printed.err, {own: name for name, own in places.items()})
    output = text.rstrip("\n").splitlines()
    assert matches(output, block.output), text


def replaced(text: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def test_the_file_that_the_page_explains_is_the_one_that_was_explained() -> None:
    (text,) = re.findall(
        r"^```nginx\n(.*?)^```", (ROOT / "docs/explain.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert text == (FILES / "nginx/nginx.conf").read_text()


def test_there_are_such_blocks() -> None:
    assert {block.command.split()[1] for block in shown()} >= {"check", "explain"}


def test_the_page_of_the_commands_is_current() -> None:
    assert COMMANDS.read_text() == page(), "run `make docs`"
    assert CUT in page()
