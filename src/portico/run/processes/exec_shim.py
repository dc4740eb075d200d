"""Runs in a child between fork and exec: it ties the child's life to its parent's, and installs its socket.

python -I -S exec_shim.py PARENT SIGNAL:IGNORED REPORT LISTENER PROGRAM ARGUMENT ...

`subprocess` offers `preexec_fn` for that, and calls it unsafe in a process with threads: a forked child has none of
the threads, but every lock that one of them held. A new Python process has no such locks; it costs 10 ms, and is
replaced by the program. REPORT is a descriptor: it is closed when the program runs, and gets the error number if
the program cannot be started. LISTENER is the descriptor of the socket, IGNORED a signal
that the program ignores until it has a handler for it, or 0. A Portico that runs while it is upgraded starts the new
shim: there are four words before PROGRAM, and `:IGNORED` may be missing.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
import termios

LISTENER_FD = 3
"""The number of the inherited socket for a server (Gunicorn: bind = "fd://3"), as systemd would pass it."""
NO_LISTENER = -1
_SIG_IGN = 1
"""signal.h."""
_IGNORED_BY_PYTHON = (13, 25)
"""SIGPIPE and SIGXFSZ: the program would inherit that they are ignored. (The `signal` module takes 2 ms to import.)
"""


def command(
    parent: int, number: int, report: int, listener: int, ignored: int, argv: tuple[str, ...]
) -> list[str]:
    """The arguments that start a program through the shim. `number` is its signal when its parent exits."""
    words = map(str, (parent, f"{int(number)}:{int(ignored)}", report, listener))
    return [sys.executable, "-I", "-S", __file__, *words, *argv]


def main(words: list[str]) -> None:
    """Become that program."""
    signals, argv = words[1].partition(":"), words[4:]
    parent, number, report, listener = map(int, (words[0], signals[0], *words[2:4]))
    ignored = int(signals[2] or 0)
    os.set_inheritable(report, False)
    sys.path.append(__file__.rpartition("/portico/")[0])  # -I leaves it out
    from portico.run.processes import prctl

    _let_work_go_on()
    _leave_terminal()
    prctl.end_with(parent, number)
    if listener != NO_LISTENER:
        os.dup2(listener, LISTENER_FD)
        if listener != LISTENER_FD:
            os.close(listener)
    for restored in _IGNORED_BY_PYTHON:
        ctypes.CDLL(None).signal(restored, None)
    if ignored:
        ctypes.CDLL(None).signal(ignored, ctypes.c_void_p(_SIG_IGN))
    try:
        os.execvp(argv[0], argv)  # noqa: S606  it is an exec, no shell
    except OSError as error:
        os.write(report, str(error.errno).encode())
        os._exit(127)


def _let_work_go_on() -> None:
    """SCHED_BATCH (sched(7)): a program that wakes up waits for the running one, and does not take its core.

    Each request wakes the gateway twice and the app once. On busy cores the gateway otherwise interrupts the app during
    nearly every request: a fifth more CPU per request, and no answer comes earlier. Idle cores see no change.
    """
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError:
        pass  # a sandbox forbids it: the program works without it


def _leave_terminal() -> None:
    """Give up the controlling terminal (tty_ioctl(4), TIOCNOTTY): a process of another user could type into it what
    root's shell then obeys (TIOCSTI). The session stays the same.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return  # there is none
    try:
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
    except OSError:
        pass  # it leads the session, which no child of Portico does
    finally:
        os.close(terminal)


if __name__ == "__main__":
    main(sys.argv[1:])
