"""How many requests were served: counted in nginx's log, as bytes, without reading a single line of it.

A gigabyte takes a second. Once a minute what was added is counted, so that nobody who asks waits for a day's log;
a site that nobody visits costs one look at a file's size.
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
"""What the search for a time leaves to be read line by line."""
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
        """Count what has been logged so far: the file is about to be put aside."""
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
            elif size < self._offset:  # cut short: another program truncated it
                self._offset, self._began = 0, (file, 0)
            if size != self._offset:
                self._offset = self._add(self._log, self._offset)

    def _finish_old(self) -> None:
        """What came to the file before it was put aside, if it still lies beside the new one."""
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
                ours = began if os.fstat(log.fileno()).st_ino == inode else 0  # before are another run's
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
    """What there is from there on, and where the last complete line ended."""
    found = Counts()
    while True:
        log.seek(offset)
        piece = log.read(_PIECE)
        end = piece.rfind(b"\n") + 1
        if end == 0 and len(piece) == _PIECE:  # no line of nginx's is so long
            offset = behind_hole(log.fileno(), offset + _PIECE)
            continue
        if end == 0:
            return found, offset
        found = found.plus(counted(piece[:end]))
        offset += end


def _offset_of(log: BinaryIO, moment: float) -> int:
    """Where the first line logged at or after that Unix time begins; lines are in order but for a quarter second."""
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
    """What is no such line is older than everything."""
    request = Request.parse(line)
    return moment(request.time) if request else 0.0
