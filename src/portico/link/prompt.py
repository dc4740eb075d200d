"""Flushes an app's output at each line, also to a pipe or a file.

Python and C buffer 8 kB unless they write to a terminal, and a killed process loses them. Here each line is written
when it ends. Text without a line end is written within a second, see `app_output.Copied.push`.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys

_IOLBF = 1
"""stdio.h, on Linux and macOS."""


def by_line() -> None:
    """Sets it for this process: for Python's own streams and those of C libraries."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # PYTHONUNBUFFERED, which is for the app's child processes, would write the end of a line separately.
            stream.reconfigure(line_buffering=True, write_through=False)
    with contextlib.suppress(
        OSError, ValueError, AttributeError
    ):  # another C library: its streams stay unchanged
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, _IOLBF, 0)
