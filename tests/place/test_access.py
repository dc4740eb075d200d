"""What lets a user in: the right that is missing, and no home directory opened to everybody."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from portico.place.access import Blocked, blocked, remedy
from tests.support import private_directory

NOBODY = "nobody"


def test_the_missing_right_is_named_and_no_more() -> None:
    with private_directory() as home:
        (home / "way/in").mkdir(parents=True)
        (home / "way/in").chmod(0o700)
        (home / "way").chmod(0o755)
        assert _lacks(home / "way/in") == "o+rx"
        (home / "way").chmod(0o700)
        assert _lacks(home / "way/in") == "o+x"
        found = blocked(str(home / "way/in"), NOBODY)
        assert found is not None
        assert remedy(found, NOBODY) == f"let it in: chmod o+x {home}/way"


def _lacks(path: Path) -> str:
    found = blocked(str(path), NOBODY)
    return found.lacks if found else ""


def test_root_s_home_is_opened_to_nobody() -> None:
    home = pwd.getpwuid(0).pw_dir
    words = remedy(Blocked(home, "mode drwx------", "o+x"), "www-data")
    assert words == "move it out of root's home directory, to /srv for example"


def test_a_person_s_home_is_opened_to_one_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd(("alice", "x", 1000, 1000, "", "/home/alice", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
    words = remedy(Blocked("/home/alice", "mode drwx------", "o+x"), "www-data")
    assert words.endswith("or let in that user alone: setfacl -m u:www-data:x /home/alice")
    assert "chmod" not in words


def test_a_path_that_is_not_there_gets_no_chmod() -> None:
    found = blocked("/nowhere/at/all", NOBODY)
    assert found is not None
    assert "chmod" not in remedy(found, NOBODY)
