"""Follows a file that another program appends to."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from portico.place.untrusted import behind_hole, opened, unblocked

_LATE_SECONDS = 5.0
"""After a rotation, the gateway's workers still write their buffers to the old file."""
_MOST_FILES = 16
"""The limit of rotated files that stay open because a process may still write to them."""
PIECE = 1 << 16
"""The read size: it fits the processor's cache, and its memory is reused."""
MOST = 1 << 20
"""The most bytes in memory at once; a longer line is skipped."""


class Follower:
    """Reads complete lines that were appended since the last call; survives rotation and truncation.

    Starts at the end of the file unless `from_start`. A missing file has no lines. A file is untrusted if the app's
    user can replace it: then no link is followed.
    """

    def __init__(self, path: Path, *, from_start: bool = False, is_untrusted: bool = False) -> None:
        self._path = path
        self._opener = opened if is_untrusted else unblocked
        self._files: list[_Opened] = []
        """The current file, and before it rotated ones that are not read to their end."""
        if path.exists() and not from_start:
            self._look()
            for one in self._files:
                one.file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[str]:
        """The lines that have come since the last call."""
        for _ in range(1 + self.waiting() // MOST):
            yield from decoded(self.text(MOST))
            if not self.waiting():
                return

    def text(self, most: int = MOST) -> bytes:
        """The lines as they are in the file, each with its end; about `most` bytes, the rest at the next call."""
        self._look()
        found, size = list[bytes](), 0
        for one in self._files:
            found.append(one.text(most - size))
            size += len(found[-1])
            if one.waiting():
                break
        return b"".join(found)

    def waiting(self) -> int:
        """How many bytes are unread."""
        self._look()
        return sum(one.waiting() for one in self._files)

    def pass_over(self, size: int) -> None:
        """Skips so many bytes, and the rest of the line after them."""
        for one in self._files:
            here = min(size, one.waiting())
            one.pass_over(here)
            size -= here

    def _look(self) -> None:
        """Opens the current file; forgets rotated ones that were read to their end and do not grow."""
        try:
            found = self._path.stat()
        except OSError:
            return
        last = self._files[-1] if self._files else None
        if last is None or last.key != (found.st_ino, found.st_dev):
            try:
                self._files.append(_Opened(FileIO(str(self._path), "r", opener=self._opener)))
            except OSError:
                return
            if last is not None:
                last.until = time.monotonic() + _LATE_SECONDS
            if len(self._files) > _MOST_FILES:
                self._files.pop(0).file.close()
        elif found.st_size < last.file.tell():
            last.begin_again()
        if len(self._files) > 1:
            now = time.monotonic()
            for one in [one for one in self._files if now >= one.until and not one.waiting()]:
                one.file.close()
                self._files.remove(one)


class _Opened:
    """One file, and the position in it. `until` is when no process writes to it any more."""

    def __init__(self, file: FileIO) -> None:
        found = os.fstat(file.fileno())
        self.file, self.key, self.until = file, (found.st_ino, found.st_dev), math.inf
        self._rest, self._is_within = b"", False

    def waiting(self) -> int:
        return max(0, os.fstat(self.file.fileno()).st_size - self.file.tell())

    def begin_again(self) -> None:
        """Another program truncated it."""
        self.file.seek(0)
        self._rest, self._is_within = b"", False

    def pass_over(self, size: int) -> None:
        if size:
            self.file.seek(size - 1, os.SEEK_CUR)
            self._rest, self._is_within = b"", self.file.read(1) != b"\n"

    def text(self, most: int) -> bytes:
        """The complete lines in about `most` more bytes. An unfinished line is not kept in memory for long."""
        pieces, size = [self._rest] if self._rest else [], 0
        while size < most and (chunk := self.file.read(PIECE)):
            pieces.append(chunk)
            size += len(chunk)
        found = b"".join(pieces)
        if self._is_within:
            _, end, found = found.partition(b"\n")
            self._is_within = not end
        if found.endswith(
            b"\n"
        ):  # The gateway usually writes complete lines: at 80 000 a second each copy counts
            self._rest = b""
            return found
        end_at = found.rfind(b"\n") + 1
        self._rest = found[end_at:]
        if self._is_within or len(self._rest) > MOST:
            self._rest, self._is_within = b"", True
            self.file.seek(behind_hole(self.file.fileno(), self.file.tell()))
        return found[:end_at]


def lines_of(path: Path, *, is_untrusted: bool) -> Iterator[str]:
    """The lines of a file that is no longer appended to, whatever replaces its name meanwhile. Raises OSError."""
    with FileIO(str(path), "r", opener=opened if is_untrusted else unblocked) as file:
        one = _Opened(file)
        while one.waiting():
            yield from decoded(one.text(MOST))


def decoded(text: bytes) -> list[str]:
    """The lines of a text in which every line has its end."""
    return text.decode("utf-8", "replace").split("\n")[:-1]


def paced(lines: list[str], most: int, left_out: Callable[[int], str]) -> list[str]:
    """At most `most` of the lines, and one that says how many were omitted."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], left_out(len(lines) - most)]
