"""The sample of a static folder's files for test requests."""

from __future__ import annotations

import os
import re
from pathlib import Path

from portico.site.front.fingerprints import SOURCES

MOST_DIRECTORIES = 200
"""One file of each is requested: 0.3 ms each in a Flask app."""
ENOUGH = 50
"""With fewer directories more files are requested: of each directory and suffix, then any."""
_MOST_FILES = 20_000
_NEVER_SENT = re.compile(rf"\..*|.*(?:~|\.(?:{SOURCES}))", re.DOTALL)


def sample(folder: Path) -> list[str] | None:
    """Files below the folder, by their paths in it: one of each directory, then one of each suffix in each, then
    any.

    None if there are too many directories or files to request one of each. Files that nginx never sends are left
    out.
    """
    of_directory: list[str] = []
    of_suffix: dict[tuple[str, str], str] = {}
    rest: list[str] = []
    seen = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if _is_sent(root, name))
        seen += len(files)
        below = os.path.relpath(root, folder)
        paths = [name if below == "." else f"{below}/{name}" for name in names]
        of_directory += paths[:1]
        if seen > _MOST_FILES or len(of_directory) > MOST_DIRECTORIES:
            return None
        for path in paths[1:]:
            kind = (below, os.path.splitext(path)[1].lower())  # noqa: PTH122  no Path for each of thousands
            if of_suffix.setdefault(kind, path) != path and len(rest) < ENOUGH:
                rest.append(path)
    others = [*of_suffix.values(), *rest]
    return of_directory + others[: max(0, ENOUGH - len(of_directory))]


def _is_sent(root: str, name: str) -> bool:
    """A name that fits a URL, and no name or link that nginx refuses."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not _NEVER_SENT.fullmatch(name) and not os.path.islink(os.path.join(root, name))  # noqa: PTH114, PTH118
