"""Makes the directories of a plan, and trusts none that another user could have made.

Portico executes what is in the runtime directory (sockets, configuration, pids to end). Whoever can write to it, or
can create it first in a shared directory (/tmp), would control Portico.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.place import untrusted
from portico.place.access import blocked, remedy
from portico.plan.files import Directory
from portico.plan.model import Plan
from portico.reading import user_name

_FOR_ALL, _FOR_GROUP = stat.S_IWOTH, stat.S_IWGRP
_OWN_NAME = "portico"


def make(plan: Plan) -> None:
    """Make all of them, and check that their users can enter them. Raises PorticoError with every problem."""
    problems = list(_unmade(plan))
    if not problems:
        problems = [problem for wanted in plan.directories for problem in _closed(plan, wanted)]
    if problems:
        raise PorticoError(*problems)


def _unmade(plan: Plan) -> Iterator[Problem]:
    """The problems. A directory inside one that failed is not tried: it would report the same again."""
    refused = list[Path]()
    for wanted in plan.directories:
        if not any(Path(wanted.path).is_relative_to(one) for one in refused):
            found = list(_made(wanted, _variable(plan, wanted)))
            refused += [Path(wanted.path)] if found else []
            yield from found


def _variable(plan: Plan, wanted: Directory) -> str:
    return "PORTICO_RUNTIME_DIR" if wanted.path == plan.runtime else "PORTICO_STATE_DIR"


def _made(wanted: Directory, variable: str) -> Iterator[Problem]:
    try:
        _make(wanted, variable)
    except PorticoError as error:
        yield from error.problems
    except (OSError, LookupError) as error:
        what = f"cannot make this directory: {getattr(error, 'strerror', None) or error}"
        yield Problem(wanted.path, what, f"set {variable} to a directory of your own")


def _make(wanted: Directory, variable: str) -> None:
    """Make the directory as planned, and its missing parents.

    Only new directories get a mode, and the site's own directory.
    """
    path, hint = Path(wanted.path), f"set {variable} to a directory of your own"
    _check_strangers(path, wanted)
    for parent in reversed(path.parents):
        if _make_one(parent, 0o711 if os.geteuid() == 0 else 0o700):  # The gateway's user must pass
            continue
        _check_parent(parent, hint)
    for parent in reversed(path.parent.resolve().parents):
        _check_parent(parent, hint)
    _check_parent(path.parent.resolve(), hint)
    _make_one(path, wanted.mode)
    owners = {os.geteuid(), *([_uid(wanted.owner)] if wanted.owner else [])}
    if os.geteuid() != 0:
        _check_own(path, owners, hint)
        path.chmod(wanted.mode)
        return
    _pass_on(path, wanted)
    _check_own(path, owners, hint)
    with untrusted.folder(path) as own:
        os.fchown(own, _uid(wanted.owner), _gid(wanted.group))
        os.fchmod(own, wanted.mode)


def _pass_on(path: Path, wanted: Directory) -> None:
    """Give the directory to a new owner; in a secret one, pass on the previous owner's files as well.

    Only if nobody but root can have made the directory. Its entries may be links to anything: a file is passed
    on only if it is a regular file of the previous owner with no other name.
    """
    above, found, uid = path.parent.stat(), path.lstat(), _uid(wanted.owner) if wanted.owner else 0
    if above.st_uid != 0 or above.st_mode & (_FOR_ALL | _FOR_GROUP) or found.st_uid == uid:
        return
    if not stat.S_ISDIR(found.st_mode):
        return
    with untrusted.folder(path) as own:
        os.fchown(own, uid, -1)
        for name in untrusted.names_in(own) if wanted.is_secret else ():
            with suppress(OSError), untrusted.file(own, name, os.O_RDONLY, owner=found.st_uid) as number:
                os.fchown(number, uid, -1)


def _make_one(path: Path, mode: int) -> bool:
    """Whether the directory is new."""
    try:
        path.mkdir(mode)
    except OSError:
        if path.is_dir() or path.is_symlink():
            return False
        raise
    path.chmod(mode)  # independent of our umask
    return True


def _check_parent(path: Path, hint: str) -> None:
    """Check a parent directory. Raises PorticoError if another user can change its contents."""
    found, above = path.lstat(), path.parent.stat()
    is_shared = bool(above.st_mode & _FOR_ALL) and path != path.parent
    if is_shared and found.st_uid not in (0, os.geteuid()):
        raise PorticoError(_not_ours(path, found, hint))
    if stat.S_ISLNK(found.st_mode) or found.st_mode & stat.S_ISVTX or found.st_uid != os.geteuid():
        return
    too_much = _FOR_ALL | (_FOR_GROUP if is_shared or path.name == _OWN_NAME else 0)
    if found.st_mode & too_much:
        raise PorticoError(_too_open(path, found, hint))


def _check_own(path: Path, owners: set[int], hint: str) -> None:
    """Check the site's own directory. Raises PorticoError if it is not a directory, or not ours alone."""
    found = path.lstat()
    if found.st_uid not in owners:
        raise PorticoError(_not_ours(path, found, hint))
    if not stat.S_ISDIR(found.st_mode):
        raise PorticoError(Problem(str(path), "is not a directory", f"remove it, or {hint}"))
    if found.st_mode & (_FOR_ALL | _FOR_GROUP):
        raise PorticoError(_too_open(path, found, hint))


def _check_strangers(path: Path, wanted: Directory) -> None:
    """Portico gives it rights, and removes what an earlier Portico left: nobody else may have anything in it."""
    if not wanted.holds or not path.is_dir():
        return
    for name in sorted(one.name for one in path.iterdir()):
        if not any(fnmatchcase(name, one) for one in wanted.holds):
            what = f'holds "{name}", which is not of this site; Portico changes the rights of this directory'
            raise PorticoError(
                Problem(wanted.path, what, f"name one of its own, such as {path}/site/app.sock")
            )


def _not_ours(path: Path, found: os.stat_result, hint: str) -> Problem:
    what = f"belongs to {user_name(found.st_uid)}, not to {user_name(os.geteuid())} who runs Portico"
    return Problem(str(path), what, f"{hint}, or remove it when you know who made it")


def _too_open(path: Path, found: os.stat_result, hint: str) -> Problem:
    what = f"others may write to it ({stat.filemode(found.st_mode)}, owner {user_name(found.st_uid)})"
    return Problem(str(path), what, f"see what is in it, then: chmod go-w {path}\nor {hint}")


def _closed(plan: Plan, wanted: Directory) -> Iterator[Problem]:
    """Why a user cannot enter; the owner of an existing directory must open it."""
    shared = (wanted,) if wanted.is_secret else (each for each in plan.directories if not each.is_secret)
    who = "the app" if wanted.is_secret else plan.gateway.name
    for user in sorted({directory.owner for directory in shared} - {""}):
        if stopped := blocked(wanted.path, user):
            hint = f"{remedy(stopped, user)}\nor set {_variable(plan, wanted)} to a directory that user may enter"
            yield Problem(stopped.path, f"{stopped.why}, and {who} needs {wanted.path}", hint)


def _uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid if name else -1


def _gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid if name else -1
