"""Counts served requests: it counts lines in the gateway's log as bytes, without parsing them.

A gigabyte takes a second. New lines are counted once a minute, so that a question never waits for a day's log;
a site without visitors costs one look at a file's size.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import BinaryIO

from portico.log.count import Counts, counted
from portico.log.request import Request, moment
from portico.place.untrusted import behind_hole
from portico.protocol.status import RequestCounts
from portico.run.background import in_background
from portico.ticks import WELL, Rounds, tick

LOOK_SECONDS = 60.0
_PIECE = 1 << 20
_NEAR = 1 << 16
"""The rest that a search for a time reads line by line."""
_LONGEST_LINE = 1 << 18


class Served:
    """The requests since this began, and those of the last minute."""

    def __init__(self, log: str) -> None:
        self._log = Path(log)
        self._lock = threading.Lock()
        self._file, self._offset = self._began = self._now()
        self._counts = Counts()

    async def watch(self) -> Rounds:
        while True:
            await in_background(self._catch_up)
            yield WELL
            await tick(LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Count the lines so far: the file is about to be rotated."""
        await in_background(self._catch_up)

    async def tell(self) -> RequestCounts:
        return await in_background(self._tell)

    def _tell(self) -> RequestCounts:
        self._catch_up()
        all_of_them, last = self._counts, self._last(LOOK_SECONDS)
        return RequestCounts(
            total=all_of_them.requests,
            failed=all_of_them.failed,
            left=all_of_them.left,
            unread=all_of_them.unread,
            maintenance=all_of_them.maintenance,
            last_minute=last.requests,
            last_minute_failed=last.failed,
            last_minute_left=last.left,
            last_minute_maintenance=last.maintenance,
        )

    def _catch_up(self) -> None:
        with self._lock:
            file, size = self._now()
            if file != self._file:
                self._finish_old()
                self._file, self._offset = file, 0
            elif size < self._offset:  # another program truncated it
                self._offset, self._began = 0, (file, 0)
            if size != self._offset:
                self._offset = self._add(self._log, self._offset)

    def _finish_old(self) -> None:
        """The lines added before the rotation, if the old file still exists."""
        old = self._log.with_name(f"{self._log.name}.1")
        try:
            if old.stat().st_ino == self._file:
                self._add(old, self._offset)
        except OSError:
            pass

    def _add(self, path: Path, offset: int) -> int:
        with path.open("rb") as log:
            found, offset = _count(log, offset)
        self._counts = self._counts.plus(found)
        return offset

    def _last(self, seconds: float) -> Counts:
        try:
            with self._log.open("rb") as log:
                inode, began = self._began
                ours = began if os.fstat(log.fileno()).st_ino == inode else 0  # another run's before
                return _count(log, max(ours, _offset_of(log, time.time() - seconds)))[0]
        except OSError:
            return Counts()

    def _now(self) -> tuple[int, int]:
        try:
            found = self._log.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size


def _count(log: BinaryIO, offset: int) -> tuple[Counts, int]:
    """The number of lines from there on, and where the last complete line ended."""
    found = Counts()
    while True:
        log.seek(offset)
        piece = log.read(_PIECE)
        end = piece.rfind(b"\n") + 1
        if end == 0 and len(piece) == _PIECE:  # no line of the gateway is that long
            offset = behind_hole(log.fileno(), offset + _PIECE)
            continue
        if end == 0:
            return found, offset
        found = found.plus(counted(piece[:end]))
        offset += end


def _offset_of(log: BinaryIO, moment: float) -> int:
    """The offset of the first line at or after that Unix time; lines are in order within a quarter second."""
    low, high = 0, os.fstat(log.fileno()).st_size
    while high - low > _NEAR:
        middle = (low + high) // 2
        log.seek(middle)
        log.readline(_LONGEST_LINE)  # the rest of a line
        low, high = (middle, high) if _time(log.readline(_LONGEST_LINE)) < moment else (low, middle)
    log.seek(low)
    if low:
        log.readline(_LONGEST_LINE)
    while line := log.readline(_LONGEST_LINE):
        if _time(line) >= moment:
            return log.tell() - len(line)
    return log.tell()


def _time(line: bytes) -> float:
    """A line in another format counts as the oldest."""
    request = Request.parse(line)
    return moment(request.time) if request else 0.0
