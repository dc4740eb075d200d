"""A worker's beat: once a second it tells the arbiter that it runs, and how long its requests may take.

A thread that keeps the interpreter lock, in C code such as a regular expression or a huge integer, stops every other
thread of its worker; a call that blocks an event loop stops every other task. No check of ours runs there then. The
arbiter is another process: it ends a worker that is silent for longer than each of its requests may take. The stacks
are written by a signal handler of faulthandler, which is C code and needs no lock.

https://docs.python.org/3/library/faulthandler.html#faulthandler.register
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import struct
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

_STACKS: Final = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else 0
"""The signal that has the stacks written; 0 where there is none that no app uses."""
_MOST_BYTES: Final = 1 << 16
_WAIT_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.01
_PATIENCE: Final = 4.0
"""So many times as late as the last beats were, on a machine without a free processor, is no silence."""
_FORGETS: Final = 0.9
_LONGEST_TICK_SECONDS: Final = 1.5
"""The arbiter looks every second. If it was stopped itself, so was everything else."""
_SHARED: Final = struct.Struct("dd")


class Beat:
    """Made by the arbiter before the fork; `thread` is what beats, in words."""

    def __init__(self, thread: str = "main thread") -> None:
        self.thread = thread
        self._shared = mmap.mmap(-1, _SHARED.size)
        """When it beat last (time.monotonic), and how many seconds it may be silent; 0 and 0 before the first."""
        self._stacks: IO[bytes] = _no_file()
        self._seconds = self._late = self._expected = self._fresh = 0.0
        self._seen = self._silent = self._looked = 0.0

    # The worker ----------------------------------------------------------------------------------------

    def start(self, seconds: float) -> None:
        """`seconds` is how long a request may take that says nothing else."""
        self._seconds = seconds
        if _STACKS:
            faulthandler.register(_STACKS, file=self._stacks.fileno(), all_threads=True)

    def set(self, longest: float, again: float) -> None:
        """It runs. `longest` is how many seconds the requests in progress may still take; the next beat comes after
        `again` seconds.

        It may be silent as long as any of its requests may take: each may be the one that holds the lock.
        """
        now = time.monotonic()
        self._late = max(now - self._expected if self._expected else 0.0, _FORGETS * self._late)
        self._expected = now + again
        fresh, self._fresh = self._fresh - now, 0.0
        _SHARED.pack_into(self._shared, 0, now, max(longest, fresh, self._seconds) + _PATIENCE * self._late)

    def allow(self, seconds: float) -> None:
        """A request begins that may take so long, perhaps longer than others."""
        self._fresh = max(self._fresh, time.monotonic() + seconds)
        beat, allowed = _SHARED.unpack_from(self._shared)
        if beat and self._fresh - beat > allowed:
            _SHARED.pack_into(self._shared, 0, beat, self._fresh - beat)

    def stop(self) -> None:
        """It beats no more."""
        _SHARED.pack_into(self._shared, 0, 0.0, 0.0)

    # The arbiter ---------------------------------------------------------------------------------------

    def look(self, pid: int) -> float:
        """Called once a second: how many seconds it has been silent if that is too long, 0 if it is not."""
        now, (beat, allowed) = time.monotonic(), _SHARED.unpack_from(self._shared)
        passed, self._looked = min(now - self._looked, _LONGEST_TICK_SECONDS), now
        if not beat or _is_stopped(pid):
            self._silent = 0.0
        elif beat != self._seen:
            self._silent = min(now - beat, passed)
        else:
            self._silent += passed
        self._seen = beat
        return self._silent if self._silent > allowed else 0.0

    def end(self, pid: int) -> str:
        """Kills it, and returns where its threads were, "" if that cannot be learned."""
        with suppress(OSError):
            if _STACKS:
                os.kill(pid, _STACKS)
                ends = time.monotonic() + _WAIT_SECONDS
                while not (size := self._size()) and time.monotonic() < ends:
                    time.sleep(_LOOK_SECONDS)
                while size != (size := self._size()) and time.monotonic() < ends:
                    time.sleep(_LOOK_SECONDS)  # it is still written
            os.kill(pid, signal.SIGKILL)
        self._stacks.seek(0)
        return self._stacks.read(_MOST_BYTES).decode("utf-8", "replace").rstrip()

    def _size(self) -> int:
        return os.fstat(self._stacks.fileno()).st_size


def _is_stopped(pid: int) -> bool:
    """Whether somebody has stopped it (SIGSTOP, a debugger)."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def _no_file() -> IO[bytes]:
    """A file without a name, which needs no room on a disk where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stacks"), "w+b")
    return tempfile.TemporaryFile()
