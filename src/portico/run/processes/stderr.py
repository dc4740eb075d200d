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
_TURN_BYTES = 1 << 12
"""What is read at once: 4 KiB may be 4096 lines, and everything else waits while they are handled."""
_PIPE_BYTES = 1 << 16
"""What a pipe holds: the most that is left to read when its program has ended."""
FAST_LINES = 500
"""Lines a second that are read from a program without a pause in the long run."""
_BURST_LINES = 2000
"""Lines that may come at once: a few long stacks."""


class Lines:
    """The lines of successive streams: each start of a program opens a new one.

    With `slowed`, a program that writes more than FAST_LINES a second is read with pauses: the full pipe holds it up.
    `slowed` is called once for each stream.
    """

    def __init__(self, heard: Callable[[str], None], slowed: Callable[[], None] | None = None) -> None:
        self._heard, self._slowed = heard, slowed
        self._debt, self._debt_at, self._was_slowed = 0.0, 0.0, False
        self._pipe: IO[bytes] | None = None
        self._rest = b""
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    def follow(self, pipe: IO[bytes] | None) -> None:
        self._close()
        self._kept.clear()
        self._debt, self._was_slowed = 0.0, False
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._pipe = pipe
            self._watch(pipe)

    def last(self) -> str:
        """The last output, read to the end; of a descendant that goes on writing, no more than the pipe holds."""
        left = _PIPE_BYTES
        while left > 0 and (size := self._read()[0]):
            left -= size
        return "\n".join(self._kept)

    def _watch(self, pipe: IO[bytes]) -> None:
        if self._pipe is pipe:
            asyncio.get_running_loop().add_reader(pipe.fileno(), self._turn)

    def _turn(self) -> None:
        """Read a piece, and pause as long as its lines were too many."""
        _, count = self._read()
        pipe, slowed = self._pipe, self._slowed
        if pipe is None or slowed is None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._debt = max(0.0, self._debt - (now - self._debt_at) * FAST_LINES) + count
        self._debt_at = now
        if self._debt <= _BURST_LINES:
            return
        loop.remove_reader(pipe.fileno())
        loop.call_later((self._debt - _BURST_LINES) / FAST_LINES, self._watch, pipe)
        if not self._was_slowed:
            self._was_slowed = True
            slowed()

    def _read(self) -> tuple[int, int]:
        """Read a piece: how many bytes and lines it had."""
        if self._pipe is None:
            return 0, 0
        try:
            chunk = os.read(self._pipe.fileno(), _TURN_BYTES)
        except BlockingIOError:
            return 0, 0
        if not chunk:
            self._close()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._hear(line)
        if len(self._rest) >= _LONGEST_LINE:
            rest, self._rest = self._rest, b""
            self._hear(rest)
        return len(chunk), len(lines)

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
