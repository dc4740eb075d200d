"""Where the report goes. A file that is no report is never written over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from portico import atomic
from portico.cli.bench.report.page import BEGIN
from portico.errors import PorticoError, Problem, UsageError

_MODE = 0o644


def refuse_other_files(path: Path) -> None:
    """Raises UsageError, before minutes of load, for a place where the report cannot be written: a file of another
    kind, a link, a folder that is not there.
    """
    try:
        found = _status(path)
        if not path.parent.is_dir():
            _refuse(path, f"there is no directory {path.parent}", "make it first, or name another")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            _refuse(path, f"nothing can be written to {path.parent}", "name another directory")
        if found is None:
            return
        if not stat.S_ISREG(found.st_mode):
            _refuse(path, "is no ordinary file", "name a new file, such as report.html")
        if found.st_size and not _begin(path).startswith(BEGIN.encode()):
            _refuse(path, "is not a report of portico bench, and stays as it is", "name another file")
    except OSError as error:
        _refuse(path, error.strerror or str(error), "name another file")


def write(path: Path, page: str) -> None:
    """All of it or nothing. A report that is there is replaced, with its mode and owner. Raises PorticoError."""
    refuse_other_files(path)  # a minute later it may be another file
    try:
        found = _status(path)
        mode = stat.S_IMODE(found.st_mode) if found else _MODE
        atomic.write(path, page.encode(), mode, (found.st_uid, found.st_gid) if found else None)
    except OSError as error:
        raise PorticoError(
            Problem(str(path), error.strerror or str(error), "is the disk full? name another file")
        ) from None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _begin(path: Path) -> bytes:
    """Its first bytes. Raises OSError, also for a link that came meanwhile."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(number, len(BEGIN.encode()))
    finally:
        os.close(number)


def _refuse(path: Path, what: str, hint: str) -> None:
    raise UsageError(Problem(f"--html {path}", what, hint))
