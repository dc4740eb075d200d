"""The files that httpd reads: `Include`, its wildcards and directories, and what Debian sets in `envvars`."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

MAINS = ("apache2.conf", "httpd.conf")
"""The first file of Debian's httpd and of everybody else's."""
_PLACES = (*MAINS, "conf/httpd.conf")
_DEEPEST = 20
"""AP_MAX_INCLUDE_DIR_DEPTH."""
_MOST_NAMES = 20_000
_EXPORT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)")


def first_file(path: Path) -> Path:
    """The file itself, or the main file of a directory."""
    if not path.is_dir():
        return path
    return next((path / name for name in _PLACES if (path / name).is_file()), path / MAINS[0])


def root_of(file: Path) -> Path:
    """The ServerRoot until a line says another: the nearest directory above with a main file."""
    for directory in file.absolute().parents:
        if any((directory / name).is_file() for name in _PLACES):
            return directory
    return file.absolute().parent


def variables(directory: Path) -> dict[str, str]:
    """What Debian's `envvars` exports to httpd, as far as it is plain. No shell runs."""
    try:
        text = (directory / "envvars").read_text("utf-8", "surrogateescape")
    except OSError:
        return {}
    known = {"SUFFIX": directory.name.removeprefix("apache2") if directory.name != "apache2" else ""}
    made = dict[str, str]()
    for line in text.splitlines():
        found = _EXPORT.fullmatch(line.rstrip())
        if not found or found[1] == "SUFFIX" or line.lstrip().startswith("#"):
            continue
        value = found[2].strip().strip("\"'")
        value = re.sub(r"\$\{?(\w+)\}?", lambda name: (known | made).get(name[1], ""), value)
        if "$(" not in value and "`" not in value:
            made[found[1]] = value
    return made


class TooManyError(ValueError):
    """A pattern means more files than anybody's configuration has."""


def matching(pattern: Path) -> list[Path]:
    """The files of an `Include`, in httpd's order: a wildcard matches no hidden file, a directory means all of it.

    Raises TooManyError.
    """
    steps, found = _Steps(), [Path(pattern.anchor)]
    for part in pattern.parts[1:]:
        found = [below for one in found for below in _children(one, part, steps)]
    return [file for one in found for file in _all_files(one, 0, steps)]


def is_wild(text: str) -> bool:
    return bool(re.search(r"[*?\[]", text))


class _Steps:
    """How many names have been looked at."""

    def __init__(self) -> None:
        self.left = _MOST_NAMES

    def names(self, directory: Path) -> list[str]:
        """Those of a directory, sorted; none of one that cannot be read."""
        try:
            names = sorted(os.listdir(directory))  # noqa: PTH208  the names alone
        except OSError:
            return []
        self.left -= len(names) + 1
        if self.left < 0:
            raise TooManyError(f"more than {_MOST_NAMES} files and folders")
        return names


def _children(directory: Path, part: str, steps: _Steps) -> list[Path]:
    if not is_wild(part):
        return [directory / part] if (directory / part).exists() else []
    names = (name for name in steps.names(directory) if not name.startswith("."))
    return [directory / name for name in names if fnmatch.fnmatchcase(name, part)]


def _all_files(path: Path, depth: int, steps: _Steps) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    elif depth < _DEEPEST:
        for name in steps.names(path):
            yield from _all_files(path / name, depth + 1, steps)
