"""A file put in place whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from portico import atomic


def test_it_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        atomic.write(tmp_path / "page", b"new", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "page").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "page").stat().st_mode) == 0o644


def test_no_draft_stays_of_what_cannot_be_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    with pytest.raises(IsADirectoryError):
        atomic.write(tmp_path / "page", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_it_belongs_to_whom_it_belonged(tmp_path: Path) -> None:
    atomic.write(tmp_path / "users", b"new", 0o640, (2, 3))
    made = (tmp_path / "users").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (2, 3, 0o640)
