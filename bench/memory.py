"""Memory that is really there, for logs to grow into.

A virtual machine may give what is free back to its host, and then each page that a growing log needs costs 6 to 12 us
to get again: more than the serving of a small file. Who writes the longer line would be measured by the host.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_SHARE = 3
"""A third of what is available: half of it for the logs."""
_STEP = 1 << 17
"""Free pieces below this size are not given back (page_reporting_order 5)."""


@contextmanager
def own_memory() -> Iterator[None]:
    """Touch a part of the memory and give back every second piece, each too small for the host; hold the others."""
    size = psutil.virtual_memory().available // _SHARE // _STEP * _STEP
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(0, size, mmap.PAGESIZE):
            memory[page] = 1
        for piece in range(0, size, _STEP):
            memory.madvise(mmap.MADV_DONTNEED, piece, _STEP // 2)
        yield
