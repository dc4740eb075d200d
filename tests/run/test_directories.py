"""Directories that somebody else made, or could change, are not used; those of others are left as they are."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.plan.files import Directory
from portico.run.disk import directories

SOMEBODY = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to somebody else")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory for everybody, as /tmp is."""
    path = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


def make(path: Path, mode: int = 0o700, **more: Any) -> None:
    made = Directory(str(path), mode, **more)
    plan: Any = SimpleNamespace(runtime=str(path), gateway=SimpleNamespace(name="nginx"), directories=(made,))
    directories.make(plan)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path) -> str:
    with pytest.raises(PorticoError) as caught:
        make(path)
    assert "PORTICO_RUNTIME_DIR" in str(caught.value)
    return str(caught.value)


def test_new_directory_and_its_parents_are_private_whatever_our_umask(shared: Path) -> None:
    before = os.umask(0)
    try:
        make(shared / "portico-1" / "shop", 0o710)
    finally:
        os.umask(before)
    assert mode(shared / "portico-1") == (0o711 if os.geteuid() == 0 else 0o700)
    assert mode(shared / "portico-1" / "shop") == 0o710
    make(shared / "portico-1" / "shop", 0o710)


@needs_root
def test_parent_that_somebody_else_made_first_is_refused(shared: Path) -> None:
    squatted = shared / "portico-0"
    squatted.mkdir()
    squatted.chmod(0o777)
    os.chown(squatted, SOMEBODY, SOMEBODY)
    said = refusal(squatted / "shop")
    assert f"{squatted}: belongs to user {SOMEBODY}" in said
    assert list(squatted.iterdir()) == []


@needs_root
@pytest.mark.parametrize("is_link", [False, True])
def test_own_directory_that_somebody_else_made_first_is_refused(shared: Path, is_link: bool) -> None:
    taken = shared / "shop"
    if is_link:
        taken.symlink_to("/usr")
    else:
        taken.mkdir(0o700)
    os.chown(taken, SOMEBODY, SOMEBODY, follow_symlinks=False)
    assert f"belongs to user {SOMEBODY}" in refusal(taken)


@needs_root
def test_parent_behind_somebody_else_s_link_is_refused(shared: Path) -> None:
    (shared / "real").mkdir(0o700)
    (shared / "portico-0").symlink_to(shared / "real")
    os.chown(shared / "portico-0", SOMEBODY, SOMEBODY, follow_symlinks=False)
    assert f"belongs to user {SOMEBODY}" in refusal(shared / "portico-0" / "shop")


def test_link_in_place_of_the_directory_is_refused(shared: Path) -> None:
    (shared / "shop").symlink_to(shared)
    assert "is not a directory" in refusal(shared / "shop")


@pytest.mark.parametrize("bits", [0o770, 0o707])
def test_directory_others_may_write_to_is_refused_and_left_as_it_is(shared: Path, bits: int) -> None:
    for open_one, wanted in (("shop", "shop"), ("portico-1", "portico-1/shop")):
        (shared / open_one).mkdir()
        (shared / open_one).chmod(bits)
        assert f"chmod go-w {shared / open_one}" in refusal(shared / wanted)
        assert mode(shared / open_one) == bits


def test_given_parent_keeps_its_mode(shared: Path) -> None:
    make(shared / "shop", 0o700)
    assert mode(shared) == 0o1777
    (shared / "mine").mkdir()
    (shared / "mine").chmod(0o755)
    make(shared / "mine" / "shop", 0o700)
    assert mode(shared / "mine") == 0o755


@needs_root
def test_parent_nginx_cannot_enter_is_said(shared: Path) -> None:
    (shared / "mine").mkdir(0o700)
    with pytest.raises(PorticoError, match=r"keeps user 'nobody' out.*\n.*chmod o\+x"):
        make(shared / "mine" / "shop", 0o700, owner="nobody")
    assert mode(shared / "mine") == 0o700


def test_directory_that_cannot_be_made_says_what_to_set(shared: Path) -> None:
    (shared / "file").touch()
    assert "cannot make this directory: " in refusal(shared / "file" / "shop")


@pytest.mark.parametrize("name", ["other.txt", "other.sock", "app", "shop"])
def test_a_directory_with_things_of_others_is_left_as_it_is(name: str, shared: Path) -> None:
    """Root would give /run itself other rights, for a socket that the user puts there."""
    place = shared / "sockets"
    place.mkdir(0o755)
    place.chmod(0o755)
    (place / "app-1.sock").touch()
    (place / name).touch()
    with pytest.raises(PorticoError, match=f'holds "{name}", which is not of this site'):
        make(place, 0o750, holds=("app-*.sock", "shop.sock"))
    assert mode(place) == 0o755
    (place / name).unlink()
    make(place, 0o750, holds=("app-*.sock", "shop.sock"))
    assert mode(place) == 0o750
