"""Who beside root can change what lies at a path."""

from __future__ import annotations

import os
import pwd
import struct
from pathlib import Path

import pytest

from portico.reading import doubt
from tests.support import private_directory
from tests.users import ONLY_ROOT
from tests.users import USER as ORDINARY

USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32


def let_in(path: Path, uid: int) -> None:
    """Give one user all rights by an access list; the mode shows them as those of the group."""
    nobody = 0xFFFFFFFF
    rows = [
        (USER_OBJ, 7, nobody),
        (USER, 7, uid),
        (GROUP_OBJ, 5, nobody),
        (MASK, 7, nobody),
        (OTHER, 5, nobody),
    ]
    text = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)
    try:
        os.setxattr(path, "system.posix_acl_access", text)
    except OSError as error:
        pytest.skip(f"no access lists on this file system: {error}")


def _is_of(path: Path, user: int, mode: int, group: int | None = None) -> None:
    if os.geteuid() == 0:
        os.chown(path, user, pwd.getpwuid(user).pw_gid if group is None else group, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)


def test_a_user_trusts_what_root_and_nobody_else_beside_it_can_change() -> None:
    user = os.geteuid() or pwd.getpwnam(ORDINARY).pw_uid
    with private_directory() as made:
        home, link = made / "conf", made / "link"
        home.mkdir()
        link.symlink_to("conf")
        file = home / "portico.toml"
        file.write_text("")
        for path, mode in ((made, 0o755), (home, 0o755), (link, 0), (file, 0o644)):
            _is_of(path, user, mode)
        assert doubt(file, user) == doubt(link / "portico.toml", user) == ""
        for path in (made, home, file):
            before = path.stat().st_mode & 0o777
            path.chmod(before | 0o002)
            assert f"may write to {path}" in doubt(link / "portico.toml", user)
            path.chmod(before)
        assert doubt(link / "portico.toml", user) == ""


@ONLY_ROOT
def test_a_user_trusts_its_own_group_and_no_link_or_group_of_others() -> None:
    user = pwd.getpwnam(ORDINARY)
    other = pwd.getpwnam("nobody")
    with private_directory() as made:
        home, link = made / "conf", made / "link"
        home.mkdir()
        link.symlink_to("conf")
        for path, mode in ((made, 0o755), (home, 0o775), (link, 0)):
            _is_of(path, user.pw_uid, mode)
        assert doubt(home, user.pw_uid) == ""
        assert doubt(home) == f"{made} belongs to user '{ORDINARY}'"
        _is_of(home, user.pw_uid, 0o775, other.pw_gid)
        assert doubt(home, user.pw_uid) == f"others than root and user '{ORDINARY}' may write to {home}"
        _is_of(home, other.pw_uid, 0o755)
        assert doubt(home, user.pw_uid) == f"{home} belongs to user 'nobody'"
        _is_of(home, 0, 0o755)
        _is_of(link, other.pw_uid, 0)
        assert doubt(link, user.pw_uid) == f"{link} belongs to user 'nobody'"


@ONLY_ROOT
def test_an_access_list_lets_others_in_though_owner_and_group_are_root() -> None:
    with private_directory() as made:
        home = made / "conf"
        home.mkdir(mode=0o755)
        (home / "portico.toml").write_text("")
        assert doubt(home / "portico.toml") == ""
        let_in(home, 5)
        assert home.stat().st_gid == 0
        assert f"others than root may write to {home}" in doubt(home / "portico.toml")
