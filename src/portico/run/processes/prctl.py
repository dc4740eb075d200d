"""prctl(2): ends a process with its parent, and adopts orphans."""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 1, 36, 37
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def end_with(parent: int, number: int) -> None:
    """The kernel sends this process that signal when `parent` exits; if it has exited already, so does this
    process.

    The signal belongs to the thread of the parent that started this process, and is lost when the user changes.
    """
    _prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, as PID 1 is anyway."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def adopts_orphans() -> bool:
    """Whether `adopt_orphans` was called."""
    answer = ctypes.c_int(0)
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)
