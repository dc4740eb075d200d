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
"""After a rotation nginx's workers still write to the old file what they had in their buffers."""
_MOST_FILES = 16
"""Of those put aside; a process that may still write to them may not keep them open."""
PIECE = 1 << 16
"""As much as is read at once: it stays in the processor's cache, and its memory is used again."""
MOST = 1 << 20
"""As much as is worth having in memory at once; a line that is longer is passed over."""


class Follower:
    """Reads what was appended since the last look, whole lines only; survives rotation and truncation.

    Starts at the end of the file unless `from_start`. A file that does not exist yet has no lines. A
    file is untrusted where the app's user may put anything in its place: then no link is followed.
    """

    def __init__(self, path: Path, *, from_start: bool = False, is_untrusted: bool = False) -> None:
        self._path = path
        self._opener = opened if is_untrusted else unblocked
        self._files: list[_Opened] = []
        """The one that has the name now, and before it those that had it and are not read to their end."""
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
        """The same as they are in the file, each with its end; about `most` bytes, the rest at the next call."""
        self._look()
        found, size = list[bytes](), 0
        for one in self._files:
            found.append(one.text(most - size))
            size += len(found[-1])
            if one.waiting():
                break
        return b"".join(found)

    def waiting(self) -> int:
        """How many bytes have come and are not read."""
        self._look()
        return sum(one.waiting() for one in self._files)

    def pass_over(self, size: int) -> None:
        """Leave so many bytes unread, and what is left of the line behind them."""
        for one in self._files:
            here = min(size, one.waiting())
            one.pass_over(here)
            size -= here

    def _look(self) -> None:
        """Open what has the name now; forget what had it, was read to its end and gets nothing any more."""
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
    """One file, and where in it the reading is. `until` is when nobody writes to it any more."""

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
        """The whole lines among about `most` bytes more. Of a line that does not end nothing is held for long."""
        pieces, size = [self._rest] if self._rest else [], 0
        while size < most and (chunk := self.file.read(PIECE)):
            pieces.append(chunk)
            size += len(chunk)
        found = b"".join(pieces)
        if self._is_within:
            _, end, found = found.partition(b"\n")
            self._is_within = not end
        if found.endswith(b"\n"):  # nginx writes whole lines, as a rule: at 80 000 a second each copy counts
            self._rest = b""
            return found
        end_at = found.rfind(b"\n") + 1
        self._rest = found[end_at:]
        if self._is_within or len(self._rest) > MOST:
            self._rest, self._is_within = b"", True
            self.file.seek(behind_hole(self.file.fileno(), self.file.tell()))
        return found[:end_at]


def lines_of(path: Path, *, is_untrusted: bool) -> Iterator[str]:
    """The lines of a file that nobody appends to any more, whatever is put at its name meanwhile. Raises OSError."""
    with FileIO(str(path), "r", opener=opened if is_untrusted else unblocked) as file:
        one = _Opened(file)
        while one.waiting():
            yield from decoded(one.text(MOST))


def decoded(text: bytes) -> list[str]:
    """The lines of a text whose every line has its end."""
    return text.decode("utf-8", "replace").split("\n")[:-1]


def paced(lines: list[str], most: int, left_out: Callable[[int], str]) -> list[str]:
    """At most `most` of the lines, and one that says how many were left out."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], left_out(len(lines) - most)]
