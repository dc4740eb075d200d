"""Writes to a descriptor without ever waiting for its reader: a pipe without a reader must not stop a server."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

ROOM_BYTES = 1 << 20
"""The bytes that wait for a slow reader; more is dropped and counted."""
_PIECE_BYTES = 1 << 16
"""The capacity of a pipe (man 7 pipe)."""
FLUSH_SECONDS = 1.0
"""How long a reader may read nothing before the rest is given up at the end."""
MOST_SECONDS = 30.0
"""The time limit for a disk that does not respond."""
_LOOK_SECONDS = 0.02


class Writer:
    """`write` from one thread; another one waits for the reader.

    `dropped` counts the lines without room or with a failed write, `error` is the last failure. After a broken pipe
    nothing is written any more.
    """

    def __init__(self, fd: int) -> None:
        self.dropped = 0
        self.error: OSError | None = None
        self._fd = fd
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    @property
    def has_room(self) -> bool:
        """Whether half of the buffer is free, or nothing is written any more."""
        return self._is_over or self._size <= ROOM_BYTES // 2

    def lose(self) -> None:
        """Lines were omitted before they came here, an unknown number: they count as one."""
        with self._changed:
            self.dropped += 1

    def write(self, words: bytes) -> None:
        """Adds complete lines: either all of them are written or none."""
        with self._changed:
            if self._is_over or self._size + len(words) > ROOM_BYTES:
                self.dropped += words.count(b"\n")
                return
            self._waiting.append(words)
            self._size += len(words)
            self._changed.notify()

    def close(self, patience: float = FLUSH_SECONDS) -> float:
        """Writes what is left, as long as it is read; returns the rest of `patience`, in seconds.

        Only time without a reading reader counts, not time on a busy machine or a late thread.
        """
        with self._changed:
            self._is_over = True
            self._changed.notify()
        now, give_up = time.monotonic(), time.monotonic() + MOST_SECONDS
        while self._thread.is_alive() and now < give_up:
            began = now
            self._thread.join(_LOOK_SECONDS)
            now = time.monotonic()
            if self._is_blocked():
                patience -= now - began
                if patience <= 0:
                    return 0.0
        return patience

    def _is_blocked(self) -> bool:
        """Whether there is no room because nothing is read."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return not poll.poll(0)

    def _go(self) -> None:
        while lines := self._next():
            try:
                self._write_all(b"".join(lines))
                self.error = None
            except OSError as error:
                self.error = error
                self._give_up(lines, for_good=isinstance(error, BrokenPipeError))
            except Exception as error:  # noqa: BLE001  the thread must live: without it no line is written any more
                self.error = OSError(0, f"{type(error).__name__}: {error}")
                self._give_up(lines, for_good=False)
            with self._changed:
                self._size -= sum(map(len, lines))

    def _next(self) -> list[bytes]:
        """The next bytes, waited for; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over)
            lines: list[bytes] = []
            while self._waiting and sum(map(len, lines)) < _PIECE_BYTES:
                lines.append(self._waiting.popleft())
            return lines

    def _give_up(self, words: list[bytes], *, for_good: bool) -> None:
        with self._changed:
            lost = [*words, *self._waiting] if for_good else words
            self.dropped += sum(each.count(b"\n") for each in lost)
            if for_good:
                self._is_over = True
                self._waiting.clear()

    def _write_all(self, words: bytes) -> None:
        rest = memoryview(words)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])  # another process on the same terminal made it non-blocking
