"""Follows a file that another program appends to."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

_CHUNK = 1 << 18


class Follower:
    """Reads what was appended since the last look, whole lines only; survives rotation and truncation.

    Starts at the end of the file unless `from_start`. A file that does not exist yet has no lines.
    """

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._rest = b""
        if path.exists() and not from_start:
            self._open(at_end=True)

    def lines(self) -> list[str]:
        """The lines that have come since the last call."""
        return decoded(self.text())

    def text(self) -> bytes:
        """The same as they are in the file, each with its end."""
        if self._file is None:
            self._open(at_end=False)
        if self._file is None:
            return b""
        found = self._read()
        if self._was_replaced():
            found += self._read()
            self._open(at_end=False)
            found += self._read()
        return found

    def _open(self, *, at_end: bool) -> None:
        if self._file is not None:
            self._file.close()
        self._rest = b""
        try:
            self._file = FileIO(str(self._path), "r")
        except OSError:
            self._file = None
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        pieces = [self._rest] if self._rest else []
        while chunk := self._file.read(_CHUNK):
            pieces.append(chunk)
        found = b"".join(pieces)
        if found.endswith(b"\n"):  # nginx writes whole lines, as a rule: at 80 000 a second each copy counts
            self._rest = b""
            return found
        end = found.rfind(b"\n") + 1
        self._rest = found[end:]
        return found[:end]

    def _was_replaced(self) -> bool:
        assert self._file is not None
        try:
            there = self._path.stat()
        except OSError:
            return False
        ours = os.fstat(self._file.fileno())
        return (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev) or there.st_size < self._file.tell()


def decoded(text: bytes) -> list[str]:
    """The lines of a text whose every line has its end."""
    return text.decode("utf-8", "replace").split("\n")[:-1]


def paced(lines: list[str], most: int, left_out: Callable[[int], str]) -> list[str]:
    """At most `most` of the lines, and one that says how many were left out."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], left_out(len(lines) - most)]
