"""The user of the app if Portico is started as root: never root, unless the user asks for it."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.place.access import Blocked, blocked, needed, remedy

VARIABLE = "PORTICO_USER"
"""The variable with the user if no option names one: for containers, which know it and not the app."""
NOBODY = "nobody"
"""Every system has it, and it owns nothing."""


class Owner(Struct, frozen=True):
    """`name` is empty if the app runs as Portico's user. `why` is the source of the name, or a remark that there is
    none.
    """

    name: str = ""
    why: str = ""


def owner(wanted: str, directory: Path, *, must: bool = True, looks: bool = False) -> Owner:
    """The user of the app in that directory; `wanted` is the option. Raises UsageError for one that cannot run it.

    Without `must` the app will run elsewhere, or later: a user that this machine does not have, or who cannot run it,
    is no error then, and the current user, or for root the usual one, asks the app. Not root by itself: else the owner
    of a directory that nobody may enter would have its code run by root. With `looks` nothing is started: other users
    than root see their own result, and `why` says so.
    """
    try:
        return _owner(wanted, directory, looks=looks)
    except UsageError:
        if must:
            raise
        if os.geteuid() != 0:
            return Owner()
        if not wanted:
            raise
        with suppress(UsageError):  # then what is wrong with the user that was named is said
            return _owner("", directory, looks=looks)
        raise


def _owner(wanted: str, directory: Path, *, looks: bool) -> Owner:
    own, wanted = os.geteuid(), wanted or os.environ.get(VARIABLE, "")
    if own != 0:
        if not wanted or _uid(wanted) == own:
            return Owner()
        if looks:
            return Owner(why=f"started as root, the app runs as '{wanted}'; this is what you would start")
        hint = "start Portico as root, or as that user"
        raise UsageError(Problem("user", f'only root can run the app as "{wanted}"', hint))
    if wanted:
        return Owner() if _uid(wanted) == 0 else _checked(wanted, "as you said", directory)
    found = directory.stat()
    if found.st_uid == 0:
        return _checked(NOBODY, f"{directory} belongs to root", directory)
    try:
        name = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        what = f"{directory} belongs to user {found.st_uid}, who has no name on this machine"
        raise UsageError(Problem("user", what, "name the user who runs the app: --user NAME")) from None
    return _checked(name, f"the owner of {directory}", directory)


def environment(name: str) -> dict[str, str]:
    """The environment of a login of that user, without the current one."""
    if not name:
        return {}
    entry = pwd.getpwnam(name)
    return {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name}


def groups(name: str) -> frozenset[str]:
    """The names of that user's groups."""
    if not name:
        return frozenset()
    found = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    return frozenset(group.gr_name for group in grp.getgrall() if group.gr_gid in found)


def as_user(name: str, environ: Mapping[str, str], own: Mapping[str, str] | None = None) -> dict[str, Any]:
    """For Popen: the program runs as that user with only that user's groups, in that environment; empty: as the
    current user. `own` are variables that win over all others.
    """
    if not name:
        return {"env": {**environ, **(own or {})}}
    entry = pwd.getpwnam(name)
    all_of_them = os.getgrouplist(name, entry.pw_gid)
    env = {**environ, **environment(name), **(own or {})}
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": all_of_them, "env": env}


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        problem = Problem("user", f'there is no user "{name}"', f"make one: useradd --system {name}")
        raise UsageError(problem) from None


def _checked(name: str, why: str, directory: Path) -> Owner:
    """The app's user must be able to read the app's code and its Python. Raises UsageError."""
    _uid(name)
    for path in needed(sys.executable, str(directory)).values():
        if stopped := blocked(path, name):
            what = f"the app would run as '{name}' ({why}), who cannot read {path}: {stopped.path}: {stopped.why}"
            raise UsageError(Problem("user", what, _ways(stopped, name)))
    return Owner(name, why)


_OF_ROOT = "for example"
"""The end of the remedy for directories that are not opened, which the first line repeats."""


def _ways(stopped: Blocked, name: str) -> str:
    """What to do; a home directory, and root's own, is never opened to others."""
    return "\n".join(
        [
            "move the app to where that user can read it, such as /srv, with a Python that all users can",
            *([f"or {way}"] if not (way := remedy(stopped, name)).endswith(_OF_ROOT) else []),
            "or name another user: --user NAME",
            "or accept that a hole in the app is then a hole in the machine: --user root",
        ]
    )
