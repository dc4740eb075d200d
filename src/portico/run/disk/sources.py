"""The files that an app is made of, as they are on disk: to see that one has changed.

Each look reads the directories and the times of the files: 2 ms for 500 files. The kernel's own notices (inotify)
would come no sooner than a person notices, and none come for a directory of another system (Docker, NFS).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct

MOST_ENTRIES = 100_000
"""Files and directories of any kind; more are not looked at: nobody edits them by hand."""
_CODE = frozenset({".py"})
_SUFFIXES = _CODE | {
    ".html", ".htm", ".jinja", ".jinja2", ".j2", ".mako", ".toml", ".ini", ".cfg", ".conf", ".yaml", ".yml", ".po",
    ".mo",
}  # fmt: skip
"""What an app reads when it starts. What it writes itself (a database, a log) must not reload it."""
_TEMPLATES = "templates"
"""In a folder of that name, every file counts."""
_OF_OTHERS = frozenset({"__pycache__", "node_modules", "site-packages"})
_OF_VENV = "pyvenv.cfg"

Version = tuple[int, int, int]
"""Its inode, its time and its size: an editor that replaces a file may keep the others."""
Versions = Mapping[str, Version]


class Look(Struct, frozen=True):
    """What was seen; `is_whole` if that is all."""

    versions: Versions
    is_whole: bool = True


def look(directories: Collection[str], without: Collection[str], settings: Collection[str]) -> Look:
    """The sources below these directories, and these other files, that exist now."""
    found = dict[str, Version]()
    walk = _Walk(MOST_ENTRIES)
    left = frozenset(map(os.path.realpath, without))
    for directory in directories:
        for entry in walk.below(directory, left):
            with suppress(OSError):
                found[entry.path] = _version(entry.stat())
    for path in settings:
        with suppress(OSError):
            found[path] = _version(os.stat(path))  # noqa: PTH116  several times a second
    return Look(found, walk.is_whole)


def changed(old: Look, new: Look) -> set[str]:
    """The files that are there, gone, or others. Where the looks end, a file that is not seen may be there."""
    was, now = old.versions, new.versions
    paths = was.keys() | now.keys() if old.is_whole and new.is_whole else was.keys() & now.keys()
    return {path for path in paths if was.get(path) != now.get(path)}


def is_code(path: str) -> bool:
    """Whether a plan may depend on it, with the app's answers."""
    return Path(path).suffix in _CODE


def forget_compiled(path: str) -> None:
    """Python takes compiled code for current if the source has the same second and the same length."""
    source = Path(path)
    with suppress(OSError):
        for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
            compiled.unlink()


def _version(found: os.stat_result) -> Version:
    return found.st_ino, found.st_mtime_ns, found.st_size


class _Walk:
    """Reads at most so many entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.is_whole = True

    def below(self, directory: str, without: frozenset[str]) -> Iterator[os.DirEntry[str]]:
        """The upper directories first. Links to directories are not followed: they may lead back."""
        waiting = deque([(directory, False)])
        while waiting:
            current, of_templates = waiting.popleft()
            entries = self._entries(current)
            if any(entry.name == _OF_VENV for entry in entries):
                continue
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name in _OF_OTHERS:
                    continue
                if _is_directory(entry):
                    if entry.path not in without:
                        waiting.append((entry.path, of_templates or name == _TEMPLATES))
                elif of_templates or os.path.splitext(name)[1] in _SUFFIXES:  # noqa: PTH122  as above
                    yield entry

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as listing:
                entries = list(islice(listing, self._most))
                self.is_whole = self.is_whole and next(listing, None) is None
        except OSError:
            return []  # gone, or another user's
        self._most -= len(entries)
        return entries


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
