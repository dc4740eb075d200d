"""Reads files that a configuration names, with no more rights than the configuration's author has.

Portico may be root, and a portico.toml may belong to the app's user. Its author chooses what is read, and a link
that root follows leads anywhere. So root reads such a file with the rights of the app's user; with its own only if
no one but root can change the configuration, the file, and the directories above.
"""

from __future__ import annotations

import ctypes
import grp
import os
import platform
import pwd
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

LONGEST = 16 << 20
"""The most bytes of one file: files named here are pages, keys, passwords."""
_MOST_LINKS = 40
"""As the kernel follows, see path_resolution(7)."""
_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206,
              "armv7l": 206, "i686": 206}  # fmt: skip
_T = TypeVar("_T")


class Reader(Struct, frozen=True):
    """The user whose rights apply to files of a configuration.

    `user` is the app's, if Portico is root and the app's user is another; else empty, and every file is read as the
    current user. `is_trusted` says whether only root could have written that configuration.
    """

    user: str = ""
    is_trusted: bool = True

    def user_of(self, path: str | Path) -> str:
        """The user that reads that file; empty for the current one."""
        return "" if not self.user or (self.is_trusted and not doubt(path)) else self.user

    def as_whom(self, path: str | Path) -> str:
        """For a message, with a leading space; empty for the current user."""
        user = self.user_of(path)
        return f" as user '{user}' (see docs/users.md)" if user else ""

    def bytes(self, path: str | Path) -> bytes:
        """The file's content. Raises OSError; for the app's user only ordinary files are read."""
        if not self.user:
            return Path(path).read_bytes()
        return as_user(self.user_of(path), lambda: ordinary(path))

    def text(self, path: str | Path) -> str:
        r"""The same as UTF-8, with \n as the line end. Raises OSError and UnicodeDecodeError."""
        return self.bytes(path).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")

    def names(self, path: str | Path) -> list[str]:
        """The directory's entries. Raises OSError."""
        return as_user(self.user_of(path), lambda: sorted(entry.name for entry in os.scandir(path)))

    def real(self, path: str | Path) -> Path:
        """The path; with links resolved if the app's user could change one of them later."""
        return Path(os.path.realpath(path) if self.user else Path(path).absolute())


OURS = Reader()
"""Every file is read as the current user."""


def doubt(path: str | Path, user: int = 0) -> str:
    """Who beside root and that user can replace that path, in words; empty if no one can.

    Every directory on the way is checked, and every link. In a directory like /tmp (sticky), root's files are safe.
    """
    try:
        return next((why for step in _steps(Path(path).absolute()) if (why := _doubt(*step, user))), "")
    except OSError as error:
        return f"{error.filename or path}: {error.strerror or error}"


def trusted_part(path: str) -> str:
    """The longest prefix of a path without links in which only root can change a component."""
    found = "/"
    for step, status in _steps(Path(path)):
        if _doubt(step, status) or not stat.S_ISDIR(status.st_mode) or _is_shared(status):
            break
        found = step
    return found


def as_user(user: str, work: Callable[[], _T]) -> _T:
    """The result of `work`, run with that user's rights on files; empty: the current user's. Raises what it raises.

    Linux has these rights for each thread (setfsuid(2)): a thread of its own gets them, and ends.
    """
    if not user:
        return work()
    given: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _become(user)
            given.append(work())
        except BaseException as error:  # noqa: BLE001  raised again below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return given[0]


def _become(user: str) -> None:
    """Gives this thread that user's rights on files. Raises OSError if that is impossible."""
    entry = pwd.getpwnam(user)
    groups = os.getgrouplist(user, entry.pw_gid)
    libc = ctypes.CDLL(None, use_errno=True)
    number = _SETGROUPS.get(platform.machine())
    if number is None or libc.syscall(number, len(groups), (ctypes.c_uint32 * len(groups))(*groups)):
        raise PermissionError(ctypes.get_errno(), f"cannot read as user '{user}'")
    libc.setfsgid(entry.pw_gid)
    libc.setfsuid(entry.pw_uid)
    if (
        libc.setfsuid(-1) != entry.pw_uid or libc.setfsgid(-1) != entry.pw_gid
    ):  # this changes nothing, and returns the user in effect
        raise PermissionError(f"cannot read as user '{user}'")


def ordinary(path: str | Path) -> bytes:
    """The content of an ordinary file; a FIFO does not block. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(0, "it is not an ordinary file", str(path))
        return file.read(LONGEST)


def _steps(path: Path) -> list[tuple[str, os.stat_result]]:
    """Every directory, link and file in the resolution of the path. Raises OSError."""
    found, links, here = [("/", os.lstat("/"))], 0, "/"
    left = list(path.parts[1:])
    while left:
        name = left.pop(0)
        if name == "..":
            here = os.path.dirname(here)  # noqa: PTH120  of a text without links
            continue
        step = f"{here.rstrip('/')}/{name}"
        status = os.lstat(step)
        found.append((step, status))
        if not stat.S_ISLNK(status.st_mode):
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(0, "too many links", step)
        target = os.readlink(step)  # noqa: PTH115
        here = "/" if target.startswith("/") else here
        left = [part for part in Path(target).parts if part != "/"] + left
    return found


def _doubt(path: str, status: os.stat_result, user: int = 0) -> str:
    if status.st_uid not in (0, user):
        return f"{path} belongs to {user_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return ""
    is_group_s = status.st_mode & stat.S_IWGRP and (not _is_private(status.st_gid, user) or _has_list(path))
    who = "root" if user == 0 else f"root and {user_name(user)}"
    return f"others than {who} may write to {path}" if status.st_mode & stat.S_IWOTH or is_group_s else ""


def _is_private(gid: int, user: int) -> bool:
    """Whether a group has nobody but root or that user: many systems give each user a group of the same name."""
    if gid == 0 or user == 0:
        return gid == 0
    try:
        entry, group = pwd.getpwuid(user), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == entry.pw_gid and group.gr_name == entry.pw_name and {*group.gr_mem} <= {entry.pw_name}


def _has_list(path: str) -> bool:
    """Whether it has an access list (POSIX ACL), whose widest entry the mode shows as the group's."""
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except (OSError, AttributeError):  # none, or a system without them
        return False


def _is_shared(status: os.stat_result) -> bool:
    return bool(status.st_mode & (stat.S_IWOTH | stat.S_IWGRP))


def user_name(uid: int) -> str:
    """A user's name for messages."""
    try:
        return f"user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user {uid}"
