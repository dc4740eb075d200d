"""The current directory, by the path that the user came by."""

from __future__ import annotations

import os
from pathlib import Path

from portico.errors import Problem, UsageError

_found: dict[tuple[int, int], Path] = {}


def here() -> Path:
    """$PWD if it names the current directory, as `pwd -L` does: a shell keeps links in it. Raises UsageError.

    With `cd /srv/app/current` that is the link, and the site stays the same when the link leads to another release.
    The result is kept for as long as the process stays in that directory: the link may lead elsewhere later.
    """
    place = os.stat(".")  # noqa: PTH116  works in a directory that was removed, where Path.cwd() does not
    key = (place.st_dev, place.st_ino)
    known = _found.get(key)
    if known is None or not known.is_dir():
        known = _found[key] = _look(key)
    return known


def _look(key: tuple[int, int]) -> Path:
    shown = Path(os.environ.get("PWD", ""))
    try:
        there = shown.stat()
        if shown.is_absolute() and ".." not in shown.parts and (there.st_dev, there.st_ino) == key:
            return shown
    except OSError:
        pass  # another directory's, or stale
    try:
        return Path.cwd()
    except OSError as error:
        hint = "change to a directory that is there"
        what = f"the current directory cannot be used: {error.strerror}"
        raise UsageError(Problem("", what, hint)) from None
