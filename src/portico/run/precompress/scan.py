"""Looks through a folder for files that are worth compressing."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from portico.plan.precompress import MOST_BYTES, MOST_FILES, is_candidate, is_compressible
from portico.run.precompress.words import Stamp


@dataclass
class Scan:
    """Files by their path below the folder; directories by their whole path, with what `changed_at` says of them."""

    files: dict[str, Stamp] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    too_large: list[str] = field(default_factory=list)


def scan(folder: str) -> Scan:
    """What is there. Links are not followed and hidden files left out, as nginx does; no file is read."""
    found, seen = Scan(), 0
    with suppress(PermissionError):  # whoever compares may be somebody else, who is let in
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
    """When something was last added to a directory, removed or renamed (nanoseconds); 0 when it is not there.

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
    """A name that is not UTF-8 cannot be written in JSON; nginx still sends such a file, without a copy."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
