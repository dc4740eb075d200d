"""May a worker have more threads? Only while requests wait in the queue, and the threads that are there wait, too.

More threads help an app that waits for a database; an app that computes would lose by them, since one thread at a
time runs Python. So a worker is measured while requests wait, by three things:

* its processor time, which says little on a machine that is busy with other things;
* how long its main thread waits for the interpreter lock when it wakes: threads that compute in Python hold it;
* how long its threads are ready to run and have no processor: those that compute in C, without the lock, always are.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "PORTICO_THREADS"
"""The variable with the most threads of a worker; unset for a fixed number."""
WINDOW_SECONDS: Final = 0.1
_GAP_SECONDS: Final = 0.05
"""If no request was seen in the queue for so long, the measurement begins again."""
_BUSY: Final = 0.8
"""The share of the time from which on a worker computes rather than waits."""
_READY: Final = 0.5
"""The share for one thread, of the time in which it runs or could."""
_HELD: Final = 0.6
"""Of Python's switch interval: a thread that computes keeps the lock for at least one."""
_STEP: Final = 2
"""After each measurement a half more."""
LINGER_SECONDS: Final = 10.0
_LINE_BYTES: Final = 128
"""More than three numbers of 64 bits."""


class Growth:
    """Up to `most` threads; `room` is asked before there are more: for how many of them, beside so many, there is
    memory. Threads end after `linger_seconds` without a request.
    """

    def __init__(
        self,
        most: int = 0,
        room: Callable[[int], int] = lambda threads: threads,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._most = most
        self._memory = room
        self.linger_seconds = linger_seconds
        self.is_waiting = False
        """Whether the threads waited for something in the last measurement."""
        self._is_closed = False
        self._began = self._seen = self._cpu = self._held = 0.0
        self._sleeps = 0
        self._delays: dict[int, float] | None = None
        self._own = -1
        """The kernel's figures about the main thread, a descriptor; -1: not open yet."""
        self._room = 0

    def is_open(self, threads: int) -> bool:
        """Whether it is worth looking at the queue."""
        return threads < self._most and not self._is_closed

    def sleep(self, seconds: float) -> None:
        """Between two looks: sleeps, and measures how long the lock could not be had then."""
        if not self._most or self._is_closed or not self._began:
            time.sleep(seconds)
            return
        delay, began = self._own_delay_seconds(), time.monotonic()
        time.sleep(seconds)
        late = time.monotonic() - began - seconds
        self._held += max(0.0, late - (self._own_delay_seconds() - delay))
        self._sleeps += 1
        self._seen = time.monotonic()

    def _own_delay_seconds(self) -> float:
        """The same as `_delay_seconds` of the main thread, which is the only one that sleeps here. The file stays
        open: with each system call the thread loses the interpreter lock to one of many that wait for it.
        """
        with suppress(OSError, ValueError, IndexError):
            if self._own < 0:
                self._own = os.open(_schedule(threading.get_native_id()), os.O_RDONLY | os.O_CLOEXEC)
            return _delay(os.pread(self._own, _LINE_BYTES, 0))
        return 0.0

    def look(self, threads: int, natives: Iterable[int]) -> None:
        """Called many times a second while requests wait; `natives` are the kernel's numbers of the active threads."""
        if not self._most or self._is_closed:
            return
        now = time.monotonic()
        is_new, self._seen = now - self._seen > _GAP_SECONDS, now
        if is_new:
            self._begin(now, None)
        elif (passed := now - self._began) >= WINDOW_SECONDS:
            self._judge(threads, list(natives), now, passed)

    def _begin(self, now: float, delays: dict[int, float] | None) -> None:
        self._began, self._cpu, self._delays = now, time.process_time(), delays
        self._held, self._sleeps = 0.0, 0
        self.is_waiting, self._room = False, 0

    def _judge(self, threads: int, natives: list[int], now: float, passed: float) -> None:
        used, before = time.process_time() - self._cpu, self._delays
        computes = used >= _BUSY * passed or self._held > _HELD * sys.getswitchinterval() * self._sleeps
        # They cost some system calls, and change nothing for one that computes.
        delays = None if computes else {native: _delay_seconds(native) for native in natives}
        self._begin(now, delays)
        if delays is not None and before is not None:
            ready = used + sum(delays[native] - before[native] for native in delays.keys() & before.keys())
            self.is_waiting = ready < _READY * passed * len(natives)
            computes = not self.is_waiting
        self._is_closed = computes
        if self.is_waiting:
            self._room = min(max(1, threads // _STEP), self._memory(threads))

    def take(self, threads: int) -> bool:
        """Whether there may be one more now."""
        if threads >= self._most or not self._room:
            return False
        self._room -= 1
        return True

    def refuse(self) -> None:
        """The system allows no more threads now."""
        self._room, self._is_closed = 0, True

    def reopen(self) -> None:
        """Called once a second: what was busy may wait now."""
        self._is_closed = False


FIXED: Final = Growth()
"""No more threads than at the start."""


def _delay_seconds(native: int) -> float:
    """How long the thread was ready to run and had no processor; 0 where the kernel does not count it."""
    with suppress(OSError, ValueError, IndexError):
        return _delay(Path(_schedule(native)).read_bytes())
    return 0.0


def _schedule(native: int) -> str:
    return f"/proc/self/task/{native}/schedstat"


def _delay(line: bytes) -> float:
    """Of time on a processor, time without one, and timeslices: https://docs.kernel.org/scheduler/sched-stats.html"""
    return int(line.split()[1]) / 1e9
