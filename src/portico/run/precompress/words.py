"""The messages between the supervisor and its child, one JSON value per line."""

from __future__ import annotations

from msgspec import Struct

Stamp = tuple[int, int, int, int]
"""Identifies the file that was read: inode, size, and both times in nanoseconds. The time of the last
inode change (ctime) reveals files with new content whose mtime was set back."""


class Folder(Struct, frozen=True):
    """A folder whose files get copies at `root`/CODING`url`NAME; `known` are files that have copies already."""

    url: str
    folder: str
    root: str
    known: dict[str, Stamp] = {}


class Job(Struct, frozen=True):
    """The job. `store` is the directory of results by content."""

    store: str
    threads: int
    folders: list[Folder]


class Found(Struct, frozen=True, tag=True):
    """New or changed files, and their total bytes."""

    files: int
    bytes: int


class Done(Struct, frozen=True, tag=True):
    """One file: the bytes of each copy by coding; none if it does not become smaller."""

    root: str
    name: str
    stamp: Stamp
    copies: dict[str, int]
    was_kept: bool
    """Whether a stored result was used."""


class Seen(Struct, frozen=True, tag=True):
    """The directories of a folder and when an entry was last added, removed or renamed (nanoseconds).

    A missing folder is listed with 0. `left_out` is the number of files that were not checked because there are too
    many; `too_large` those never tried.
    """

    root: str
    folders: dict[str, int]
    left_out: int
    too_large: list[str]


Word = Found | Done | Seen
