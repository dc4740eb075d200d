"""Runs commands of Portico in forks of one process, which has imported all of Portico: the program of `commands`.

Each message at its standard input has what to run, and four descriptors: the three standard ones of the command, and
a socket for its pid and its exit code. Closed without either, the command must be started in the ordinary way. The
program ends when nobody holds the other end of its standard input.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
import time
from pathlib import Path

_MOST_BYTES = 1 << 20


def main() -> bool:
    """True in a process that is to become a command; False in the first one when all is over."""
    _import_all()
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=os.dup(0))
    while True:
        message, given, _, _ = socket.recv_fds(requests, _MOST_BYTES, 4)
        if not message:
            return False
        if not (child := os.fork()):
            requests.close()
            # A child of this one, which nobody waits for, waits for the command.
            if not os.fork() and _is_command(json.loads(message), given):
                return True
            os._exit(0)
        os.waitpid(child, 0)
        for descriptor in given:
            os.close(descriptor)


def _import_all() -> None:
    del sys.path[0]  # the directory of this file
    import portico.cli

    for module in pkgutil.walk_packages(portico.cli.__path__, "portico.cli."):
        importlib.import_module(module.name)


def _is_command(asked: dict[str, object], given: list[int]) -> bool:
    """True in the process that is to run it; False in the one that has waited for it."""
    answer = socket.socket(fileno=given[3])
    if _has_a_module_first(Path(str(asked["cwd"]))):
        return False
    if command := os.fork():
        for descriptor in given[:3]:
            os.close(descriptor)
        answer.send(str(command).encode())
        answer.send(str(os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])).encode())
        return False
    answer.close()
    _prepare(asked, given)
    return True


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


if __name__ == "__main__" and main():
    runpy.run_module("portico", run_name="__main__", alter_sys=True)
