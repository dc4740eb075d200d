"""A peer that runs: started in a private directory, waited for, and ended with everything it ever started."""

from __future__ import annotations

import ctypes
import http.client
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.cpu import Member, members
from bench.floor import APPS
from bench.peers import Peer, Program, Setup, Stand, program_names
from bench.workloads import READY, Workload

_READY_SECONDS = 30
_LEAVE_SECONDS = 5
_KILL_ROUNDS = 3  # a process may have forked while its parent was being killed
_PR_SET_CHILD_SUBREAPER = 36


class PeerError(Exception):
    """The peer did not start, or answers something else than the app does."""


class Running:
    """A peer's programs while they run."""

    def __init__(self, stand: Stand) -> None:
        self.port = stand.port
        self.launched_at = time.monotonic()
        self.directory = stand.directory
        self._programs: list[tuple[Program, psutil.Popen]] = []

    def launch(self, program: Program) -> None:
        """In a session of its own; told to end when the bench is killed and can no longer say so itself."""
        argv = ["setpriv", "--pdeathsig", "TERM", "--", *program.argv]
        with (self.directory / f"program{len(self._programs)}.log").open("wb") as log:
            process = psutil.Popen(
                argv,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
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
        """The end of what the programs wrote, for the reason that is reported."""
        logs = sorted(self.directory.glob("program*.log"))
        text = "\n".join(log.read_text(errors="replace") for log in logs)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it said nothing"

    def end(self) -> None:
        """The gateway first, politely; then, by force, whatever is still below the bench."""
        programs = [process for _, process in reversed(self._programs)]
        for process in programs:
            if process.poll() is None:
                process.terminate()
        psutil.wait_procs(programs, timeout=_LEAVE_SECONDS)
        for _ in range(_KILL_ROUNDS):
            left = psutil.Process().children(recursive=True)
            for descendant in left:
                _kill(descendant)
            psutil.wait_procs(left, timeout=_LEAVE_SECONDS)

    def require(self, app_server: str) -> None:
        """A peer that starts its own app server must really run the one it is named after. Raises PeerError."""
        names = [program_names(process.cmdline()) for process, role in self.tree() if role == "app"]
        if app_server and not any(app_server in each for each in names):
            raise PeerError(f"runs no {app_server}")

    def check(self, workload: Workload, body_bytes: int | None = None) -> None:
        """One plain request: status, and size where it is known, must be the app's. Raises PeerError."""
        asked = f"{workload.method} {workload.path}"
        status, body = _request(self.port, workload)
        if status != workload.status:
            raise PeerError(f"{asked} gave {status}, expected {workload.status}")
        if body_bytes not in (None, len(body)):
            raise PeerError(f"{asked} gave {len(body)} bytes, the app gives {body_bytes}")


@contextmanager
def running(peer: Peer) -> Iterator[Running]:
    """The peer, answering. Raises PeerError if it does not start."""
    with launched(peer) as house:
        _wait_until_ready(house)
        house.require(peer.app_server)
        yield house


@contextmanager
def launched(peer: Peer) -> Iterator[Running]:
    """The peer's programs, started and not waited for. Whatever happens, nothing of them is left afterwards."""
    _adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # servers that give up root must still reach their socket
        stand = Stand(Path(directory), _free_port(), _free_port())
        setup = peer.setup(stand)
        _furnish(stand.directory, setup)
        house = Running(stand)
        try:
            for program in setup.programs:
                house.launch(program)
            yield house
        finally:
            house.end()


def _adopt_orphans() -> None:
    """Descendants whose parent dies become children of the bench, so that none can escape `_end`."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _furnish(directory: Path, setup: Setup) -> None:
    shutil.copytree(APPS, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in setup.files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def _wait_until_ready(house: Running) -> None:
    end = time.monotonic() + _READY_SECONDS
    problem = "no answer"
    while time.monotonic() < end:
        if dead := house.dead():
            raise PeerError(f"{dead}: {house.last_words()}")
        try:
            house.check(READY)
        except (OSError, http.client.HTTPException, PeerError) as error:
            problem = str(error)
        else:
            return
        time.sleep(0.05)
    raise PeerError(f"not ready after {_READY_SECONDS} s ({problem}): {house.last_words()}")


def _request(port: int, workload: Workload) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(workload.method, workload.path, body=b"x" * workload.body_bytes or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass


def _program_name(program: Program) -> str:
    return next((word for word in program.argv if word.startswith("/")), program.argv[0])
