"""Files that a configuration names, read with no more rights than who wrote it has.

Portico may be root, and a portico.toml may belong to the app's user. Whoever writes there chooses what is read, and a
link that root follows leads anywhere. So root reads such a file with the rights of the app's user; with its own only
where neither the configuration nor the file, nor a directory above, can be changed by anybody but root.
"""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

LONGEST = 16 << 20
"""Bytes of one file at most: what is named here is a page, a key, a password."""
_MOST_LINKS = 40
"""As the kernel follows, see path_resolution(7)."""
_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206,
              "armv7l": 206, "i686": 206}  # fmt: skip
_T = TypeVar("_T")


@dataclass(frozen=True)
class Reader:
    """As whom files are read that a configuration names.

    `user` is the app's, when Portico is root and the app is somebody else; else empty, and every file is read as we
    are. `is_trusted` says whether only root could have written that configuration.
    """

    user: str = ""
    is_trusted: bool = True

    def user_of(self, path: str | Path) -> str:
        """Who reads that file; empty for ourselves."""
        return "" if not self.user or (self.is_trusted and not doubt(path)) else self.user

    def as_whom(self, path: str | Path) -> str:
        """For a message, with a blank before it; empty when it is as ourselves."""
        user = self.user_of(path)
        return f" as user '{user}' (see docs/users.md)" if user else ""

    def bytes(self, path: str | Path) -> bytes:
        """What is in the file. Raises OSError; for the app's user only ordinary files are read."""
        if not self.user:
            return Path(path).read_bytes()
        return as_user(self.user_of(path), lambda: ordinary(path))

    def text(self, path: str | Path) -> str:
        r"""The same as UTF-8, with \n at each line's end. Raises OSError and UnicodeDecodeError."""
        return self.bytes(path).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")

    def names(self, path: str | Path) -> list[str]:
        """What is in the directory. Raises OSError."""
        return as_user(self.user_of(path), lambda: sorted(entry.name for entry in os.scandir(path)))

    def real(self, path: str | Path) -> Path:
        """The path; without links on the way where the app's user could change one of them later."""
        return Path(os.path.realpath(path) if self.user else Path(path).absolute())


OURS = Reader()
"""Every file is read as we are."""


def doubt(path: str | Path) -> str:
    """Who beside root can put something else at that path, in words; empty when nobody can.

    Every directory on the way is looked at, and every link. In a directory like /tmp (sticky) what is root's stays.
    """
    try:
        return next((why for step in _steps(Path(path).absolute()) if (why := _doubt(*step))), "")
    except OSError as error:
        return f"{error.filename or path}: {error.strerror or error}"


def trusted_part(path: str) -> str:
    """The longest beginning of a path without links in which nobody but root can change a step."""
    found = "/"
    for step, status in _steps(Path(path)):
        if _doubt(step, status) or not stat.S_ISDIR(status.st_mode) or _is_shared(status):
            break
        found = step
    return found


def as_user(user: str, work: Callable[[], _T]) -> _T:
    """What `work` gives, done with that user's rights on files; empty: with ours. Raises what it raises.

    Linux keeps these rights for each thread (setfsuid(2)): a thread of its own has them, and ends.
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
    """This thread's rights on files are that user's. Raises OSError when they cannot be."""
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
    ):  # which changes nothing, and says who
        raise PermissionError(f"cannot read as user '{user}'")


def ordinary(path: str | Path) -> bytes:
    """What is in an ordinary file; nobody waits for a FIFO. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(0, "it is no ordinary file", str(path))
        return file.read(LONGEST)


def _steps(path: Path) -> list[tuple[str, os.stat_result]]:
    """Every directory, link and file that a look at the path meets. Raises OSError."""
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


def _doubt(path: str, status: os.stat_result) -> str:
    if status.st_uid != 0:
        return f"{path} belongs to {user_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return ""
    is_group_s = status.st_mode & stat.S_IWGRP and (status.st_gid != 0 or _has_list(path))
    return f"others than root may write to {path}" if status.st_mode & stat.S_IWOTH or is_group_s else ""


def _has_list(path: str) -> bool:
    """Whether it has an access list (POSIX ACL), whose widest entry is what the mode shows as the group's."""
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except (OSError, AttributeError):  # none, or a system without them
        return False


def _is_shared(status: os.stat_result) -> bool:
    return bool(status.st_mode & (stat.S_IWOTH | stat.S_IWGRP))


def user_name(uid: int) -> str:
    """As messages name a user."""
    try:
        return f"user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user {uid}"
