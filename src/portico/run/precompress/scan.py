"""Scans a folder for files worth compressing."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, field

from portico.plan.precompress import MOST_BYTES, MOST_FILES, is_candidate, is_compressible
from portico.run.precompress.words import Stamp


class Scan(Struct):
    """Files by their path below the folder; directories by their whole path, with the result of `changed_at`."""

    files: dict[str, Stamp] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    too_large: list[str] = field(default_factory=list)


def scan(folder: str) -> Scan:
    """The entries of a folder. As the gateway does, it follows no links and skips hidden files; it reads no file."""
    found, seen = Scan(), 0
    with suppress(PermissionError):  # the comparing process may be another user, who has access
        found.folders[folder] = changed_at(folder)
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _is_text(name))
        try:
            if root != folder:
                found.folders[root] = os.lstat(root).st_mtime_ns
        except OSError:
            continue
        for name in sorted(files):
            seen += 1
            if seen > MOST_FILES:
                found.left_out += 1
            elif not name.startswith(".") and _is_text(name):
                _look(found, folder, Path(root, name))
    return found


def changed_at(folder: str) -> int:
    """When an entry of a directory was last added, removed or renamed (nanoseconds); 0 if it does not exist.

    Raises PermissionError.
    """
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116  half the time of Path.stat
    except PermissionError:
        raise
    except OSError:
        return 0


def stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _look(found: Scan, folder: str, path: Path) -> None:
    try:
        status = path.lstat()
    except OSError:
        return
    if not stat.S_ISREG(status.st_mode):
        return
    name = str(path.relative_to(folder))
    if is_candidate(path.name, status.st_size):
        found.files[name] = stamp(status)
    elif status.st_size > MOST_BYTES and is_compressible(path.name):
        found.too_large.append(name)


def _is_text(name: str) -> bool:
    """A name that is not UTF-8 cannot be written in JSON; the gateway still sends such a file, without a copy."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
