"""Programs that are measured: started in a private directory, watched, and ended with everything they ever started."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct

from portico.measure.cpu import Member, Role, Rule, members

_LEAVE_SECONDS = 5
_KILL_ROUNDS = 3
"""A process may have forked while its parent was being killed."""
_PR_SET_CHILD_SUBREAPER = 36
_QUOTED = 200


class Stand(Struct, frozen=True):
    """Where programs run: a private directory, and the ports they may use."""

    directory: Path
    port: int
    inner_port: int

    @property
    def socket(self) -> Path:
        return self.directory / "app.sock"


class Program(Struct, frozen=True):
    """`cwd` is the private directory if it is not said; `how` are more arguments of Popen: user, environment."""

    role: Role
    argv: list[str]
    rule: Rule = lambda _cmdline: None
    cwd: Path | None = None
    how: Mapping[str, Any] = {}


class Setup(Struct, frozen=True):
    """The programs, and the files that they need in the private directory."""

    programs: list[Program]
    files: dict[str, str] = {}


class Programs:
    """Those that run in one private directory."""

    def __init__(self, stand: Stand) -> None:
        self.port = stand.port
        self.launched_at = time.monotonic()
        self.directory = stand.directory
        self._programs: list[tuple[Program, psutil.Popen]] = []

    def launch(self, program: Program) -> None:
        """In a session of its own; it is told to end when the measuring process is killed and cannot do so itself."""
        argv = ["setpriv", "--pdeathsig", "TERM", "--", *program.argv]
        log_file = self.directory / f"program{len(self._programs)}.log"
        with open(log_file, "wb", opener=_private) as log:
            process = psutil.Popen(
                argv,
                cwd=program.cwd or self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **program.how,
            )
        self._programs.append((program, process))

    def tree(self) -> list[Member]:
        return [
            member
            for program, process in self._programs
            for member in members(psutil.Process(process.pid), program.role, program.rule)
        ]

    def dead(self) -> str:
        """The first program that has ended, in words; empty while all run."""
        for program, process in self._programs:
            if process.poll() is not None:
                return f"{Path(_program_name(program)).name} ended with {process.returncode}"
        return ""

    def last_words(self) -> str:
        """The last line that the programs wrote, for the reason that is reported."""
        logs = sorted(self.directory.glob("program*.log"))
        text = "\n".join(log.read_text(errors="replace") for log in logs)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:_QUOTED] if lines else "it said nothing"

    def end(self) -> None:
        """The gateway first, with SIGTERM; then, by SIGKILL, whatever is left of them."""
        programs = [process for _, process in reversed(self._programs)]
        below = [one for process in programs for one in _below(process)]
        for process in programs:
            if process.poll() is None:
                process.terminate()
        psutil.wait_procs(programs, timeout=_LEAVE_SECONDS)
        for _ in range(_KILL_ROUNDS):
            left = {one for one in [*programs, *below] if one.is_running()}
            left |= {one for each in [*left] for one in _below(each)}
            for one in left:
                _kill(one)
            psutil.wait_procs(list(left), timeout=_LEAVE_SECONDS)


def end_all() -> None:
    """By SIGKILL, every process below this one: daemons of programs that have ended are among them."""
    for _ in range(_KILL_ROUNDS):
        left = psutil.Process().children(recursive=True)
        for one in left:
            _kill(one)
        psutil.wait_procs(left, timeout=_LEAVE_SECONDS)


@contextmanager
def stand(prefix: str = "bench-") -> Iterator[Stand]:
    """A private directory and two free ports."""
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as directory:
        if os.geteuid() == 0:
            Path(directory).chmod(0o711)  # servers that give up root must still reach their socket
        yield Stand(Path(directory), _free_port(), _free_port())


def adopt_orphans() -> None:
    """Descendants whose parent dies become children of this process, so that none can escape `end`."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def program_names(cmdline: list[str]) -> set[str]:
    """The words that say what runs: `python -m gunicorn`, `/usr/bin/gunicorn` and `portico:app uWSGI worker 1`.

    Of `python -m portico.link.gunicorn.arbiter` each part of the module's name.
    """
    names = {Path(part).name.lower().strip(";,") for word in cmdline[:3] for part in word.split()}
    return names | {part for word in cmdline[2:3] if cmdline[1] == "-m" for part in word.split(".")}


def portico_role(cmdline: list[str]) -> Role | None:
    """nginx or httpd is the gateway, Gunicorn or uWSGI is the app, the rest is Portico itself."""
    if not cmdline:
        return None
    if Path(cmdline[0]).name.startswith(("nginx", "apache2")):
        return "gateway"
    return "app" if {"gunicorn", "uwsgi", "pyuwsgi"} & program_names(cmdline) else None


def private(directory: Path) -> dict[str, str]:
    """The variables that move Portico's own directories, so that they go with the private one."""
    return {"PORTICO_RUNTIME_DIR": str(directory / "run"), "PORTICO_STATE_DIR": str(directory / "state")}


def _private(path: str, flags: int) -> int:
    """What an app writes is for nobody else."""
    return os.open(path, flags, 0o600)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass


def _program_name(program: Program) -> str:
    return next((word for word in program.argv if word.startswith("/")), os.fspath(program.argv[0]))
