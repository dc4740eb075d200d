"""Runs commands of Portico in forks of one process, which has imported all of Portico: the program of `commands`.

Each message at its standard input has what to run, and four descriptors: the three standard ones of the command, and
a socket for its pid and its exit code. Closed without either, the command must be started in the ordinary way. The
program ends when nobody holds the other end of its standard input.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import socket
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_MOST_BYTES = 1 << 20


class _Command(NamedTuple):
    """One that runs."""

    pid: int
    answer: socket.socket
    """Where its exit code is sent."""


def main() -> bool:
    """True in a process that is to become a command; False in the first one when all is over."""
    _import_all()
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=os.dup(0))
    events = select.poll()
    events.register(requests, select.POLLIN)
    running = dict[int, _Command]()  # by the descriptor that tells its end
    while True:
        for ready, _ in events.poll():
            if ready in running:
                events.unregister(ready)
                _tell(ready, running.pop(ready))
                continue
            message, given, _, _ = socket.recv_fds(requests, _MOST_BYTES, 4)
            if not message:
                return False
            asked, answer = json.loads(message), socket.socket(fileno=given.pop())
            if not _has_a_module_first(Path(str(asked["cwd"]))):
                if not (pid := os.fork()):
                    _leave([requests, answer, *(one.answer for one in running.values())], running)
                    _prepare(asked, given)
                    return True
                answer.send(str(pid).encode())
                end = os.pidfd_open(pid)
                running[end] = _Command(pid, answer)
                events.register(end, select.POLLIN)
            else:
                answer.close()
            for descriptor in given:
                os.close(descriptor)


def _tell(end: int, command: _Command) -> None:
    """It has ended."""
    os.close(end)
    code = os.waitstatus_to_exitcode(os.waitpid(command.pid, 0)[1])
    with command.answer, suppress(OSError):  # nobody may be interested any more
        command.answer.send(str(code).encode())


def _leave(sockets: Iterable[socket.socket], ends: Iterable[int]) -> None:
    """Closes what is not the command's."""
    for one in sockets:
        one.close()
    for end in ends:
        os.close(end)


def _import_all() -> None:
    del sys.path[0]  # the directory of this file
    import portico.cli

    for name in ("portico.watch.live", "psutil"):  # what commands import when they need it
        importlib.import_module(name)
    for module in pkgutil.walk_packages(portico.cli.__path__, "portico.cli."):
        importlib.import_module(module.name)


def _has_a_module_first(cwd: Path) -> bool:
    """Whether `python -m`, which looks in its directory first, finds another module there."""
    names = {path.stem for path in cwd.glob("*.py")} | {
        path.parent.name for path in cwd.glob("*/__init__.py")
    }
    return not names.isdisjoint(sys.modules) or not names.isdisjoint(sys.stdlib_module_names)


def _prepare(asked: dict[str, object], given: list[int]) -> None:
    for number, descriptor in enumerate(given[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(str(asked["cwd"]))
    sys.path.insert(0, str(asked["cwd"]))
    os.environ.clear()
    os.environ.update(asked["env"])  # type: ignore[call-overload]
    time.tzset()
    sys.argv = ["-m", *asked["words"]]  # type: ignore[misc]


def _run() -> None:
    """Runs the command and ends at once: to free what was imported would copy all the memory that forks share."""
    try:
        runpy.run_module("portico", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise  # Python prints it
        code = ended.code or 0
    else:
        code = 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__" and main():
    _run()
