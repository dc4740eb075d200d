"""Whether nginx's user may read a path, looked at component by component, as the kernel does."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Blocked:
    """The first component on the way to a path that stops a user."""

    path: str
    why: str


def blocked(path: str, user: str) -> Blocked | None:
    """What keeps `user` (a name; empty: ourselves) from reading the directory or file, or None."""
    if not user:
        return _blocked_for_us(path)
    entry = pwd.getpwnam(user)
    groups = {entry.pw_gid, *(group.gr_gid for group in grp.getgrall() if user in group.gr_mem)}
    for component in _components(path):
        try:
            status = Path(component).stat()
        except OSError as error:
            return Blocked(component, error.strerror or "cannot be looked at")
        need = (
            0o5
            if stat.S_ISDIR(status.st_mode) and component == path
            else 0o1
            if stat.S_ISDIR(status.st_mode)
            else 0o4
        )
        if entry.pw_uid != 0 and not _may(status, entry.pw_uid, groups, need):
            return Blocked(component, f"mode {stat.filemode(status.st_mode)} keeps user '{user}' out")
    return None


def _blocked_for_us(path: str) -> Blocked | None:
    for component in _components(path):
        if not Path(component).exists():
            return Blocked(component, "No such file or directory")
        if not os.access(component, os.X_OK if Path(component).is_dir() else os.R_OK):
            return Blocked(component, f"mode {stat.filemode(Path(component).stat().st_mode)} keeps us out")
    return None


def _components(path: str) -> list[str]:
    return [str(parent) for parent in reversed(Path(path).parents)] + [path]


def _may(status: os.stat_result, uid: int, groups: set[int], need: int) -> bool:
    if status.st_uid == uid:
        return (status.st_mode >> 6) & need == need
    if status.st_gid in groups:
        return (status.st_mode >> 3) & need == need
    return status.st_mode & need == need
