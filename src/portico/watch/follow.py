"""Follows a file that another program appends to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from portico.place.foreign import opened

_LATE_SECONDS = 5.0
"""After a rotation nginx's workers still write to the old file what they had in their buffers."""
PIECE = 1 << 16
"""As much as is read at once: it stays in the processor's cache, and its memory is used again."""
_SHORT = 1 << 12
"""Longer than nearly every line."""
MOST = 1 << 20
"""As much as is worth having in memory at once."""


class Follower:
    """Reads what was appended since the last look, whole lines only; survives rotation and truncation.

    Starts at the end of the file unless `from_start`. A file that does not exist yet has no lines. A
    file is foreign where the app's user may put anything in its place.
    """

    def __init__(self, path: Path, *, from_start: bool = False, is_foreign: bool = False) -> None:
        self._path = path
        self._opener = opened if is_foreign else None
        self._file: FileIO | None = None
        self._rest = b""
        self._old: tuple[FileIO, bytes, float] | None = None
        if path.exists() and not from_start:
            self._open(at_end=True)

    def lines(self) -> list[str]:
        """The lines that have come since the last call."""
        return decoded(self.text())

    def text(self, most: int | None = None) -> bytes:
        """The same as they are in the file, each with its end; about `most` bytes, the rest at the next call."""
        if self._file is None:
            self._open(at_end=False)
        if self._file is None:
            return b""
        found = self._read_old(most) + self._read(most)
        if (most is None or len(found) < most) and self._was_replaced():
            found += self._read(most)
            self._keep_old()
            self._open(at_end=False)
            found += self._read(most)
        return found

    def _keep_old(self) -> None:
        """The file that was rotated away is read for a while beside the new one."""
        if self._old is not None:
            self._old[0].close()
        assert self._file is not None
        self._old = (self._file, self._rest, time.monotonic() + _LATE_SECONDS)
        self._file = None

    def _read_old(self, most: int | None) -> bytes:
        if self._old is None:
            return b""
        file, rest, until = self._old
        whole, rest = _whole_lines(file, rest, most)
        if whole or time.monotonic() < until:
            self._old = (file, rest, until)
        else:
            file.close()
            self._old = None
        return whole

    def _open(self, *, at_end: bool) -> None:
        self._rest = b""
        try:
            self._file = FileIO(str(self._path), "r", opener=self._opener)
        except OSError:
            self._file = None
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def waiting(self) -> int:
        """How many bytes have come and are not read."""
        if self._file is None:
            return 0
        return max(0, os.fstat(self._file.fileno()).st_size - self._file.tell())

    def pass_over(self, size: int) -> None:
        """Leave so many bytes unread, and what is left of the line behind them."""
        if self._file is None or not size:
            return
        self._file.seek(size - 1, os.SEEK_CUR)
        while (chunk := self._file.read(_SHORT)) and b"\n" not in chunk:
            pass
        self._rest = (chunk or b"").partition(b"\n")[2]

    def _read(self, most: int | None = None) -> bytes:
        if self._file is None:
            return b""
        whole, self._rest = _whole_lines(self._file, self._rest, most)
        return whole

    def _was_replaced(self) -> bool:
        assert self._file is not None
        try:
            there = self._path.stat()
        except OSError:
            return False
        ours = os.fstat(self._file.fileno())
        return (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev) or there.st_size < self._file.tell()


def _whole_lines(file: FileIO, rest: bytes, most: int | None = None) -> tuple[bytes, bytes]:
    """What `rest` and the bytes behind it, about `most` of them, hold of whole lines, and what is left."""
    pieces, size = [rest] if rest else [], len(rest)
    while (most is None or size < most) and (chunk := file.read(PIECE)):
        pieces.append(chunk)
        size += len(chunk)
    found = b"".join(pieces)
    if found.endswith(b"\n"):  # nginx writes whole lines, as a rule: at 80 000 a second each copy counts
        return found, b""
    end = found.rfind(b"\n") + 1
    return found[:end], found[end:]


def decoded(text: bytes) -> list[str]:
    """The lines of a text whose every line has its end."""
    return text.decode("utf-8", "replace").split("\n")[:-1]


def paced(lines: list[str], most: int, left_out: Callable[[int], str]) -> list[str]:
    """At most `most` of the lines, and one that says how many were left out."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], left_out(len(lines) - most)]
