"""The one place where tests start a program that goes on: its output goes where a test reads it, nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

DEVNULL, PIPE = subprocess.DEVNULL, subprocess.PIPE


class Forked:
    """A command in a fork of another process (`commands`), with what tests use of subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, args: Sequence[str], pid: int, told: socket.socket) -> None:
        """The socket tells the exit code once it has ended."""
        self.args, self.pid, self._told = args, pid, told
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(100))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0) from None
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Program = subprocess.Popen[Any]
Output = Path | IO[Any] | int | None
"""A file that is written anew, one that is open, PIPE, DEVNULL, or where the output of the tests goes."""


@contextmanager
def running(
    argv: Sequence[str | Path], *, number: signal.Signals = signal.SIGTERM, **how: Any
) -> Iterator[Program]:
    """`launch` it, and `finish` it with that signal after the block."""
    program = launch(argv, **how)
    try:
        yield program
    finally:
        finish(program, number)


def launch(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[Any] | int | None = DEVNULL,
    stdout: Output = None,
    stderr: Output = None,
    text: bool = True,
    pass_fds: Sequence[int] = (),
    leads: bool = False,
) -> Program:
    """Start a program, for `finish`. One that `leads` has a session of its own. Raises OSError."""
    with ExitStack() as opened:
        out, err = (
            opened.enter_context(one.open("w")) if isinstance(one, Path) else one for one in (stdout, stderr)
        )
        return subprocess.Popen(
            [str(word) for word in argv], cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err, text=text,
            pass_fds=pass_fds, start_new_session=leads,
        )  # fmt: skip


def finish(program: Program | Forked, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> None:
    """End it as it likes to be ended, and then by force what is left of it and of all that it started."""
    tree = _descendants(program)
    if program.poll() is None:
        program.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            program.wait(seconds)
    for one in [*tree, *_descendants(program)]:
        with suppress(psutil.Error):
            one.kill()
    if program.poll() is None:
        program.kill()
        program.wait()
    for pipe in (program.stdin, program.stdout, program.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs: one that has ended and that nobody waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_of(process: psutil.Process) -> str:
    """Its command line; nothing if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def ended() -> Program:
    """One that has ended: nothing has its pid now."""
    with running(["true"]) as program:
        program.wait()
    return program


def _descendants(program: Program | Forked) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(program.pid).children(recursive=True)
    return []
