"""What the supervisor and its child say to each other, one JSON value a line."""

from __future__ import annotations

from msgspec import Struct

Stamp = tuple[int, int, int, int]
"""Tells whether a file is the one that was read: inode, size, and both times in nanoseconds. The time of the last
change of the inode (ctime) gives away files whose content was replaced and whose mtime was set back."""


class Folder(Struct, frozen=True):
    """A folder whose files get copies at `root`/CODING`url`NAME; `known` are those that have theirs already."""

    url: str
    folder: str
    root: str
    known: dict[str, Stamp] = {}


class Job(Struct, frozen=True):
    """What is to be done. `store` is where results are kept by content."""

    store: str
    threads: int
    folders: list[Folder]


class Found(Struct, frozen=True, tag=True):
    """Files that are new or have changed, and their bytes together."""

    files: int
    bytes: int


class Done(Struct, frozen=True, tag=True):
    """One file: the bytes of each copy by coding, none when it does not become smaller."""

    root: str
    name: str
    stamp: Stamp
    copies: dict[str, int]
    was_kept: bool
    """The result of an earlier run was taken."""


class Seen(Struct, frozen=True, tag=True):
    """The directories of a folder and when something was last added to them, removed or renamed (nanoseconds).

    The folder itself is among them when it is not there, with 0.
    `left_out` are files that were not looked at because there are too many; `too_large` those that are never tried.
    """

    root: str
    folders: dict[str, int]
    left_out: int
    too_large: list[str]


Word = Found | Done | Seen
