"""The code of a commit or a directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.measure.code import code_of
from tests.support import private_directory, write_files


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    write_files(made, {"app.py": "one\n", ".gitignore": ".env\ninstance/\n__pycache__/\n"})
    _git(made, "init", "-q")
    _git(made, "add", "-A")
    _git(made, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "first")
    write_files(made, {"app.py": "two\n", ".env": "A=1\n", "instance/shop.db": "", "__pycache__/app.pyc": ""})
    return made


def _git(directory: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=directory, check=True, capture_output=True, text=True).stdout


def test_a_commit_is_written_elsewhere_and_what_git_does_not_track_is_linked(
    home: Path, tmp_path: Path
) -> None:
    before = _git(home, "status", "--porcelain", "--ignored")
    with code_of("HEAD", home, "", tmp_path / "private") as made:
        assert (made / "app.py").read_text() == "one\n"
        assert {path.name for path in made.iterdir() if path.is_symlink()} == {".env", "instance"}
        assert (made / "instance").resolve() == home / "instance"
    assert _git(home, "status", "--porcelain", "--ignored") == before
    assert _git(home, "worktree", "list").count("\n") == 1


def test_a_site_in_a_directory_of_its_repository_is_that_directory(home: Path, tmp_path: Path) -> None:
    write_files(home, {"site/app.py": "inner\n"})
    _git(home, "add", "-A")
    _git(home, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "second")
    with code_of("HEAD", home / "site", "", tmp_path / "private") as made:
        assert {path.name for path in made.iterdir()} == {"app.py"}


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    with code_of(str(tmp_path), tmp_path, "", tmp_path) as made:
        assert made == tmp_path


@pytest.mark.parametrize("wanted", ["no-such-commit", "--output=/tmp/x"])
def test_anything_else_is_one_error(wanted: str, home: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="is neither a directory nor a commit"),
        code_of(wanted, home, "", tmp_path),
    ):
        pass
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root serves code of another user")
def test_what_a_repository_says_is_done_with_the_rights_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner can make git print what he wants: root made a link where that led."""
    with private_directory() as outer:
        outer.chmod(0o711)
        home, private, tools = outer / "deep" / "shop", outer / "private", outer / "tools"
        write_files(home, {"app.py": "one\n"})
        private.mkdir(mode=0o711)
        for path in (home.parent, home, home / "app.py"):
            shutil.chown(path, "nobody")
        as_owner = ("setpriv", "--reuid", "nobody", "--clear-groups", "env", "HOME=/nonexistent")
        name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        for words in (("init", "-q"), ("add", "-A"), (*name, "commit", "-qm", "first")):
            subprocess.run([*as_owner, "git", *words], cwd=home, check=True, capture_output=True)
        forged = f"""[ "$1" != ls-files ] || exec printf '../../../of-root\\0'\nexec {shutil.which("git")} "$@"\n"""
        write_files(tools, {"git": f"#!/bin/sh\n{forged}"})
        (tools / "git").chmod(0o755)
        tools.chmod(0o755)
        with code_of("HEAD", home, "nobody", private) as code:
            assert (code / "app.py").owner() == "nobody"
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        with pytest.raises(UsageError, match="Permission denied"), code_of("HEAD", home, "nobody", private):
            pass
        assert not list(outer.rglob("of-root"))
