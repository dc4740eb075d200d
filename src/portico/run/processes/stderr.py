"""Reads a child's standard error line by line, and remembers the last lines."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import IO

KEPT_LINES = 20
_LONGEST_LINE = 1 << 16
"""In bytes; a longer line is read in pieces, so that a program without line ends fills no memory."""


class Lines:
    """The lines of successive streams: each start of a program opens a new one."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._pipe: IO[bytes] | None = None
        self._rest = b""
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    def follow(self, pipe: IO[bytes] | None) -> None:
        self._close()
        self._kept.clear()
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._pipe = pipe
            asyncio.get_running_loop().add_reader(pipe.fileno(), self._read)

    def last(self) -> str:
        """The last output, read to the end."""
        while self._read():
            pass
        return "\n".join(self._kept)

    def _read(self) -> bool:
        if self._pipe is None:
            return False
        try:
            chunk = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self._close()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._hear(line)
        if len(self._rest) >= _LONGEST_LINE:
            rest, self._rest = self._rest, b""
            self._hear(rest)
        return bool(chunk)

    def _hear(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self._kept.append(text)
        self._heard(text)

    def _close(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._pipe.close()
            self._pipe = None
        if self._rest:
            rest, self._rest = self._rest, b""
            self._hear(rest)
