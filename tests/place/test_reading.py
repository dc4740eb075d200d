"""Who beside root can change what lies at a path."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from portico.reading import doubt
from tests.support import private_directory
from tests.users import ONLY_ROOT

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
