"""Portico's commands, each in a fork of a process that has imported Portico already.

To start Python and to import costs several times as much as most commands do. `python -m portico` itself is started
where it would behave differently: with other variables of Python or of the language, and in a directory with a module
that comes before one of Portico's.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support.process import Forked, Program, launch

_SERVER = Path(__file__).with_name("command_server.py")
_OF_THE_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_")
"""Python reads variables that begin so when it starts, and never again."""
_lock = threading.Lock()


def run(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """`python -m portico WORDS`. Raises subprocess.TimeoutExpired."""
    with Path(os.devnull).open() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        if program := _forked(words, cwd, env, (stdin, stdout, stderr)):
            try:
                code = program.wait(seconds)
            except subprocess.TimeoutExpired:
                program.kill()
                raise
            return subprocess.CompletedProcess(program.args, code, _written(stdout), _written(stderr))
    return subprocess.run(
        _argv(words), cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip


def start(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path, stderr: Path
) -> Program | Forked:
    """The same for one that goes on: it writes to these files, and is for `finish`."""
    with Path(os.devnull).open("rb") as stdin, stdout.open("wb") as out, stderr.open("wb") as err:
        program = _forked(words, cwd, env, (stdin, out, err))
    return program or launch(_argv(words), cwd=cwd, env=env, stdout=stdout, stderr=stderr)


@cache
def _server(variables: frozenset[tuple[str, str]]) -> socket.socket:
    """The end of a socket at which such a process listens, until this process ends."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen([sys.executable, str(_SERVER)], stdin=its.fileno(), env=dict(variables))

    def end() -> None:
        ours.close()
        process.wait(60)

    atexit.register(end)
    return ours


def _forked(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], files: tuple[IO[Any], IO[Any], IO[Any]]
) -> Forked | None:
    """Its standard files are these. None where it must be started."""
    of_python = {name: value for name, value in env.items() if name.startswith(_OF_THE_START)}
    with _lock:
        server = _server(frozenset(of_python.items()))
    asked = json.dumps({"words": list(words), "cwd": str(cwd.resolve()), "env": dict(env)}).encode()
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        socket.send_fds(server, [asked], [*(file.fileno() for file in files), its.fileno()])
    if not (pid := ours.recv(100)):
        ours.close()
        return None
    return Forked(_argv(words), int(pid), ours)


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return TextIOWrapper(file).read()


def _argv(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "portico", *words]
