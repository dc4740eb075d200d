"""Compressed copies: what is looked at again, and what people are told when static files could not be compressed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from portico.plan.subjects import Precompressed
from portico.protocol.notices import Notice, Trouble
from portico.run.precompress.program import _pack
from portico.run.precompress.scan import stamp
from portico.run.precompress.store import Store
from portico.run.precompress.watcher import Copies, Tree, _changed
from portico.run.precompress.words import Done, Folder, Job, Seen, Word
from tests.support import private_directory


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as made:
        yield made


def looked_through(home: Path) -> Tree:
    """What the supervisor knows after the child has looked through a folder that may not be there."""
    folder = Folder("/static/", str(home / "static"), str(home / "copies/static"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "portico.run.precompress.program", str(os.getpid())],
        input=msgspec.json.encode(Job(str(home / "copies/store"), 1, [folder])),
        capture_output=True,
        check=True,
        timeout=60,
    )
    tree = Tree(Precompressed(folder.url, folder.folder, folder.root))
    for line in done.stdout.splitlines():
        match msgspec.json.decode(line, type=Word):
            case Seen(_, folders):
                tree.folders = folders
            case Done(_, name, at):
                tree.files[name] = at
    return tree


def test_a_folder_that_is_not_there_for_a_moment_is_looked_at_when_it_is_back(home: Path) -> None:
    """A build tool removes the folder and makes it anew; the child may look in between."""
    (home / "copies").mkdir()
    tree = looked_through(home)
    assert _changed(tree) == ([], [])  # no work as long as it stays away
    (home / "static").mkdir()
    (home / "static/app.css").write_text("a { color: red }\n" * 200)
    assert _changed(tree) == ([], [str(home / "static")])
    tree = looked_through(home)
    assert list(tree.files) == ["app.css"]
    assert _changed(tree) == ([], [])


def test_a_file_that_changes_while_it_is_read_is_looked_at_again(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    css = home / "app.css"
    css.write_text("a" * 2000)
    at = stamp(css.lstat())
    css.write_text("b" * 3000)
    _pack(Store(home / "store"), Folder("/static/", str(home), str(home / "copies/static")), "app.css", at)
    done = msgspec.json.decode(capfd.readouterr().out, type=Word)
    assert isinstance(done, Done)
    assert not done.copies
    tree = Tree(
        Precompressed("/static/", str(home), str(home / "copies/static")), files={done.name: done.stamp}
    )
    assert _changed(tree) == ([("app.css", at)], [])


def told(words: bytes, code: int) -> str:
    said: list[Notice] = []
    copies = Copies.__new__(Copies)
    copies._say = said.append
    copies._complain(words, code)
    return str(said[0].problem) if said and isinstance(said[0], Trouble) else ""


def test_nothing_is_said_when_all_went_well() -> None:
    assert told(b"", 0) == ""


def test_a_child_that_fails_is_told_of_in_one_line() -> None:
    """A job that is none: the traceback is ours, its last line the reason."""
    child = [sys.executable, "-P", "-m", "portico.run.precompress.program", str(os.getpid())]
    done = subprocess.run(child, input=b"nonsense", capture_output=True, check=False, timeout=60)
    said = told(done.stderr, done.returncode)
    assert done.returncode != 0
    assert "static files are not compressed" in said
    assert "DecodeError" in said
    assert "File " not in said
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(("code", "why"), [(-signal.SIGKILL, "memory runs out"), (2, "exit code 2")])
def test_a_child_that_says_nothing(code: int, why: str) -> None:
    assert why in told(b"", code)


def test_of_many_files_some_are_named() -> None:
    said = told("\n".join(f"/srv/{number}.css: Permission denied" for number in range(9)).encode(), 0)
    assert "some static files could not be compressed" in said
    assert "/srv/0.css: Permission denied" in said
    assert "and 6 more" in said
    assert "/srv/8.css" not in said
