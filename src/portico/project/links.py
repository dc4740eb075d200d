"""Links in the folders that the gateway serves: it follows none, so their URLs are 404."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

from portico.place.model import Linked
from portico.site.facts import StaticFolder

_MOST_FILES = 20_000
"""The limit of files checked in one folder."""
_SHOWN = 3


def links_in(folders: Iterable[StaticFolder]) -> dict[str, Linked]:
    """For each folder with links, how many and where some of them lead. A link at another folder's URL belongs to
    that folder.
    """
    folders = tuple(folders)
    urls = {one.url for one in folders}
    return {one.folder: found for one in folders if (found := _linked(one, urls)) is not None}


def _linked(one: StaticFolder, urls: Collection[str]) -> Linked | None:
    folder = one.folder
    found = [name for name in _links(folder) if f"{one.url}{name}/" not in urls]
    shown = tuple((name, os.path.realpath(os.path.join(folder, name))) for name in sorted(found)[:_SHOWN])  # noqa: PTH118
    has_folder = any(os.path.isdir(path) for _, path in shown)  # noqa: PTH112
    return Linked(len(found), shown, has_folder=has_folder) if found else None


def _links(folder: str) -> Iterator[str]:
    """Their paths in it. Hidden ones are never sent anyway."""
    seen, below = 0, [""]
    while below and seen < _MOST_FILES:
        inside = below.pop()
        try:
            entries = list(os.scandir(f"{folder}/{inside}"))
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                yield inside + entry.name
            elif entry.is_dir(follow_symlinks=False):
                below.append(f"{inside}{entry.name}/")
