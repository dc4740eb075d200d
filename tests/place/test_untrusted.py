"""Directories where somebody else may write: no link is followed, no name leads out, nothing is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portico.place import untrusted


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("kept")
    (tmp_path / "theirs").mkdir()
    return tmp_path / "victim"


@pytest.mark.parametrize(
    "name", ["../victim/file", "link/file", "hard", "fifo", "file", "/victim/file", "a//b", ""]
)
def test_only_plain_files_of_the_directory_are_opened(victim: Path, name: str) -> None:
    theirs = victim.parent / "theirs"
    (theirs / "link").symlink_to(victim)
    (theirs / "file").symlink_to(victim / "file")
    (theirs / "hard").hardlink_to(victim / "file")
    os.mkfifo(theirs / "fifo")
    with (
        untrusted.folder(theirs) as own,
        pytest.raises(OSError),
        untrusted.file(own, name, os.O_RDWR, owner=os.geteuid()),
    ):
        pass


def test_what_is_removed_is_never_behind_a_link(victim: Path) -> None:
    theirs = victim.parent / "theirs"
    (theirs / "link").symlink_to(victim)
    with untrusted.folder(theirs) as own:
        for name in ("link/file", "../victim/file"):
            with pytest.raises(OSError):
                untrusted.remove(own, name)
        untrusted.remove(own, "link")
        untrusted.remove(own, "not/there")
    assert (victim / "file").read_text() == "kept"
    assert not (theirs / "link").is_symlink()


def test_a_tree_is_removed_however_deep_and_nothing_behind_its_links(victim: Path) -> None:
    theirs = victim.parent / "theirs"
    os.chdir(theirs)
    for _ in range(2000):  # deeper than a path may be long, and than Python may recurse
        Path("d" * 8).mkdir()
        os.chdir("d" * 8)
    Path("link").symlink_to(victim)
    os.chdir("/")
    untrusted.remove_tree(theirs)
    assert not theirs.exists()
    theirs.symlink_to(victim)
    untrusted.remove_tree(theirs)
    assert not theirs.is_symlink()
    assert (victim / "file").read_text() == "kept"


def test_a_straight_path_has_no_link_on_its_way(victim: Path) -> None:
    real = victim.resolve()
    with untrusted.straight(str(real / "file")) as number:
        assert os.read(number, 10) == b"kept"
    (real.parent / "way").symlink_to(real)
    with pytest.raises(OSError), untrusted.straight(str(real.parent / "way" / "file")):
        pass
