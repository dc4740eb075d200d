"""What people are told when static files could not be compressed: why, and nothing of our own code."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from portico.run.news import News, Trouble
from portico.run.packing.keeper import Keeper


def told(words: bytes, code: int) -> str:
    said: list[News] = []
    keeper = Keeper.__new__(Keeper)
    keeper._say = said.append
    keeper._complain(words, code)
    return str(said[0].problem) if said and isinstance(said[0], Trouble) else ""


def test_nothing_is_said_when_all_went_well() -> None:
    assert told(b"", 0) == ""


def test_a_child_that_fails_is_told_of_in_one_line() -> None:
    """A job that is none: the traceback is ours, its last line the reason."""
    child = [sys.executable, "-P", "-m", "portico.run.packing.program"]
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
