"""Whether nginx's user may read a path, checked component by component, as the kernel does."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple


class Blocked(NamedTuple):
    """The first component of a path that a user may not pass."""

    path: str
    why: str
    lacks: str = ""
    """The missing right in chmod's syntax: "o+x"; empty if a right would not help."""


class Reader(NamedTuple):
    """A user and its groups, looked up once."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def named(cls, user: str) -> Reader:
        """Raises KeyError if there is no such user."""
        entry = pwd.getpwnam(user)
        groups = (group.gr_gid for group in grp.getgrall() if user in group.gr_mem)
        return cls(entry.pw_uid, frozenset((entry.pw_gid, *groups)))

    def may(self, status: os.stat_result, need: int) -> bool:
        """Whether the mode allows it: 4 to read, 1 to enter a directory."""
        return self.uid == 0 or _may(status, self.uid, self.groups, need)


def needed(python: str, directory: str) -> dict[str, str]:
    """What an app's user must be able to read, each with a name for people."""
    found = {"Python": python, "Portico": str(Path(__file__).parents[1]), "the app": directory}
    real = os.path.realpath(python)
    return found if real == python else found | {"the Python behind it": real}


def blocked(path: str, user: str) -> Blocked | None:
    """What keeps `user` (a name; empty: the current user) from reading the directory or file, or None."""
    if not user:
        return _blocked_for_us(path)
    reader = Reader.named(user)
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
        if not reader.may(status, need):
            why = f"mode {stat.filemode(status.st_mode)} keeps user '{user}' out"
            return Blocked(component, why, f"{_class(status, reader)}+{_LETTERS[need]}")
    return None


_LETTERS = {0o5: "rx", 0o1: "x", 0o4: "r"}


def _class(status: os.stat_result, reader: Reader) -> str:
    """Which bits of the mode apply to that user."""
    return "u" if status.st_uid == reader.uid else "g" if status.st_gid in reader.groups else "o"


def remedy(stopped: Blocked, user: str) -> str:
    """How to give that user access, in one line: never more than needed, and no home directory for everyone."""
    if not stopped.lacks:
        return (
            f"make {stopped.path} a path that user '{user}' can reach" if user else f"look at {stopped.path}"
        )
    if not (who := _whose_home(stopped.path)):
        return f"let it in: chmod {stopped.lacks} {stopped.path}"
    elsewhere = f"move it out of {who}'s home directory, to /srv for example"
    if who == "root":
        return elsewhere
    acl = f"setfacl -m u:{user}:{stopped.lacks.partition('+')[2]} {stopped.path}"
    return f"{elsewhere}, or let in that user alone: {acl}"


def _whose_home(path: str) -> str:
    """The person, or root, whose home directory that is; empty for any other directory."""
    people = (entry for entry in pwd.getpwall() if not entry.pw_uid or entry.pw_uid >= _FIRST_PERSON)
    return next((entry.pw_name for entry in people if entry.pw_dir == path), "")


_FIRST_PERSON = 1000
"""Users below this ID are the system's, https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes"""


def _blocked_for_us(path: str) -> Blocked | None:
    for component in _components(path):
        if not Path(component).exists():
            return Blocked(component, "No such file or directory")
        if not os.access(component, os.X_OK if Path(component).is_dir() else os.R_OK):
            status = Path(component).stat()
            need = 0o4 if not stat.S_ISDIR(status.st_mode) else 0o5 if component == path else 0o1
            reader = Reader(os.geteuid(), frozenset((os.getegid(), *os.getgroups())))
            why = f"mode {stat.filemode(status.st_mode)} keeps us out"
            return Blocked(component, why, f"{_class(status, reader)}+{_LETTERS[need]}")
    return None


def _components(path: str) -> list[str]:
    return [str(parent) for parent in reversed(Path(path).parents)] + [path]


def _may(status: os.stat_result, uid: int, groups: frozenset[int], need: int) -> bool:
    if status.st_uid == uid:
        return (status.st_mode >> 6) & need == need
    if status.st_gid in groups:
        return (status.st_mode >> 3) & need == need
    return status.st_mode & need == need
