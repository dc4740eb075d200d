"""What an app writes to standard output is out at once, also where that is a pipe or a file.

Python and C collect 8 kB before they write to what is no terminal, and a process that is killed loses them. Here each
line is written when it ends. Text without an end is written within a second, see `app_output.Copied.push`.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys

_IOLBF = 1
"""stdio.h, on Linux and macOS."""


def by_line() -> None:
    """In this process, from now on: Python's own streams and those of C libraries."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # PYTHONUNBUFFERED, which is for the app's child processes, would write the end of a line apart from it.
            stream.reconfigure(line_buffering=True, write_through=False)
    with contextlib.suppress(
        OSError, ValueError, AttributeError
    ):  # another C library: its streams stay as they are
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, _IOLBF, 0)
