"""Runs a rolling release over several hosts: each step by the system's ssh."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator, Sequence
from enum import StrEnum
from tempfile import TemporaryFile

from msgspec import Struct

from portico.errors import FAILED
from portico.plan.fleet import (
    LOCKED,
    SSH,
    WAS_DRAINED,
    Fleet,
    Host,
    Step,
    What,
    ahead,
    lock,
    of_host,
    undoing,
)

MOST_OUTPUT = 20_000
"""Bytes of a step's output that are kept: its end says what went wrong."""
_READ, _MOST_READS = 65536, 64
_POLL, _GRACE = 0.2, 5.0
"""Seconds: between two looks whether a stop was asked for, and until a step that was ended is killed."""
_END, _GIVE_UP = 2, 3
"""How often a stop is asked for: it ends the step in progress, and the undoing."""


class Outcome(StrEnum):
    """Of a step."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


class Progress(Struct, frozen=True):
    """A step begins or has ended; `output` is what it wrote, `code` how it exited."""

    server: str
    step: What
    outcome: Outcome
    code: int = 0
    output: str = ""


class Left(StrEnum):
    """How a host was left."""

    NEW = "new"
    NEW_DRAINED = "new, drained"
    ROLLED_BACK = "rolled back"
    DRAINED = "drained"
    UNTOUCHED = "untouched"


class Result(Struct, frozen=True):
    """How each server was left, in their order."""

    release: str
    servers: dict[str, Left]

    @property
    def is_complete(self) -> bool:
        return all(left in (Left.NEW, Left.NEW_DRAINED) for left in self.servers.values())


def release(fleet: Fleet, name: str, stops: Callable[[], int]) -> Iterator[Progress | Result]:
    """Each step as it begins and ends, then the result.

    `stops` says how often a stop was asked for: once, and nothing is begun beyond the host in progress; twice, and the
    step in progress is ended and its host gets its old release back; three times, and that is given up, too.
    """
    servers = {one.server: Left.UNTOUCHED for one in fleet.hosts}
    step = lock(fleet, name)
    if stops():
        yield Result(name, servers)
        return
    yield Progress(step.host.server, step.what, Outcome.BEGUN)
    with _held(step, lambda: stops() >= _END) as (code, output):
        outcome = Outcome.FAILED if code else Outcome.DONE
        yield Progress(step.host.server, step.what, outcome, code, output)
        if code:
            yield Result(name, servers)
        else:
            yield from _locked(fleet, name, stops, servers)


def _locked(
    fleet: Fleet, name: str, stops: Callable[[], int], servers: dict[str, Left]
) -> Iterator[Progress | Result]:
    for step in ahead(fleet, name):
        if stops() or (yield from _run(step, lambda: stops() >= _END)):
            yield Result(name, servers)
            return
    for host in fleet.hosts:
        if stops():
            break
        servers[host.server] = yield from _released(fleet, host, name, stops)
        if servers[host.server] not in (Left.NEW, Left.NEW_DRAINED):
            break
    yield Result(name, servers)


def _released(
    fleet: Fleet, host: Host, name: str, stops: Callable[[], int]
) -> Generator[Progress, None, Left]:
    """A server that was drained before stays so, whatever comes of the release."""
    was_drained = False
    for step in of_host(fleet, host, name):
        if was_drained and step.what is What.RETURN:
            return Left.NEW_DRAINED
        code = yield from _run(step, lambda: stops() >= _END)
        if step.what is What.DRAIN and code == WAS_DRAINED:
            was_drained = True
        elif code:
            return (yield from _undone(fleet, step, name, stops, was_drained=was_drained))
    return Left.NEW


def _undone(
    fleet: Fleet, failed: Step, name: str, stops: Callable[[], int], *, was_drained: bool
) -> Generator[Progress, None, Left]:
    for step in undoing(fleet, failed, name):
        if was_drained and step.what is What.RETURN:
            return Left.DRAINED
        if (yield from _run(step, lambda: stops() >= _GIVE_UP)):
            return Left.DRAINED
    return Left.UNTOUCHED if failed.what is What.DRAIN else Left.ROLLED_BACK


def _run(step: Step, is_ended: Callable[[], bool]) -> Generator[Progress, None, int]:
    """The exit code."""
    yield Progress(step.host.server, step.what, Outcome.BEGUN)
    argv = _argv(step)
    try:
        code, output = finished(argv, step.script, is_ended)
    except OSError as error:
        code, output = 127, f"{argv[0]}: {error.strerror}"
    is_good = not code or (code == WAS_DRAINED and step.what is What.DRAIN)
    outcome = Outcome.DONE if is_good else Outcome.FAILED
    yield Progress(step.host.server, step.what, outcome, code, output.strip())
    return code


@contextlib.contextmanager
def _held(step: Step, is_ended: Callable[[], bool]) -> Iterator[tuple[int, str]]:
    """The lock, until the block ends: 0, or the exit code and the output of what could not take it."""
    argv = _argv(step)
    try:
        program = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        yield 127, f"{argv[0]}: {error.strerror}"
        return
    assert program.stdin
    assert program.stdout
    try:
        with contextlib.suppress(BrokenPipeError):
            program.stdin.write(f"{step.script}\n".encode())
            program.stdin.flush()
        os.set_blocking(program.stdout.fileno(), False)
        tail, is_open = b"", True
        while is_open and f"{LOCKED}\n".encode() not in tail and not is_ended():
            tail, is_open = _read(program.stdout.fileno(), tail)
        if f"{LOCKED}\n".encode() in tail:
            yield 0, ""
        else:
            _end(program)
            yield abs(program.returncode) or FAILED, tail.decode(errors="replace").strip()
    finally:
        with contextlib.suppress(BrokenPipeError):
            program.stdin.close()
        program.stdout.close()
        if not _wait(program, _GRACE):
            _end(program)


def _argv(step: Step) -> list[str]:
    return [*SSH, step.at, "sh", "-s"] if step.at else ["sh", "-s"]


def finished(argv: Sequence[str], given: str, is_ended: Callable[[], bool]) -> tuple[int, str]:
    """The exit code of a program, as a shell has it, and the end of its output.

    `is_ended` is asked again and again until it exits. Raises OSError.
    """
    with TemporaryFile() as script:
        script.write(given.encode())
        script.seek(0)
        # In a session of its own: Ctrl-C ends no step in its middle.
        program = subprocess.Popen(
            argv, stdin=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    assert program.stdout
    with program.stdout as pipe:
        os.set_blocking(pipe.fileno(), False)
        tail, is_open, was_ended = b"", True, False
        while program.poll() is None:
            if is_ended() and not was_ended:
                _end(program)
                was_ended = True
            tail, is_open = _read(pipe.fileno(), tail) if is_open else (tail, is_open)
            if not is_open:
                _wait(program, _POLL)
        # What it left in the background may hold the pipe for ever.
        tail, _ = _read(pipe.fileno(), tail, seconds=0)
    code, output = program.returncode, tail.decode(errors="replace")
    if was_ended:
        code, output = code or FAILED, f"{output}\nended before it had finished: a stop was asked for again"
    return 128 - code if code < 0 else code, output


def _read(number: int, tail: bytes, seconds: float = _POLL) -> tuple[bytes, bool]:
    """The tail of what is there within that time, and whether more may come."""
    if not select.select([number], [], [], seconds)[0]:
        return tail, True
    for _ in range(_MOST_READS):
        try:
            more = os.read(number, _READ)
        except BlockingIOError:
            break
        if not more:
            return tail, False
        tail = (tail + more)[-MOST_OUTPUT:]
    return tail, True


def _end(program: subprocess.Popen[bytes]) -> None:
    """Ends it and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, number)
        if _wait(program, _GRACE):
            return


def _wait(program: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it exits within that time."""
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
