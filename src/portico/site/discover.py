"""Asks the app about itself, in a child process: importing it runs foreign code."""

from __future__ import annotations

import linecache
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from portico.decoding import UnreadableError, decoded
from portico.errors import ImportFailedError, PorticoError, Problem, UsageError
from portico.site.facts import AppFacts
from portico.values import AppRef, Duration, longer

IMPORT_TIMEOUT_SECONDS = 60.0
"""The default time limit of the import; `start_timeout` sets another."""
CLOSED = 97
"""The child's exit status when its answer pipe was closed (`link.app.ask`)."""

_GRACE_SECONDS = 2.0  # for the child to write its own stack before it is killed
_TICK_SECONDS = 0.1  # how soon the end of a child is noticed while a grandchild holds its pipe open
_PRINTED_LINES, _PRINTED_BYTES = 20, 4096
_LONGEST_ANSWER = 32 << 20
"""In bytes; the app runs in the child and may write there, too."""
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$', re.MULTILINE)
_PORTICO = f"{Path(__file__).parents[1]}/"
_WAITS = "code that waits or serves must not run at import: put it under: if __name__ == '__main__'"
_RUNS = "app.run() is called at import and ignored: put it under: if __name__ == '__main__'"
_EXITS = "look for os._exit(), or for a call that replaces the process"
_CLOSES = "look for os.closerange() or os.close(): close only what the app itself has opened"
# -P: the app's directory must not shadow a module that Portico needs. -c: runpy alone would take 4 ms.
_CHILD = (sys.executable, "-P", "-c", "from portico.link.app.ask import main; main()")


class Reached(msgspec.Struct, frozen=True, array_like=True):
    """How clients reach the site, so that test requests to the app look like theirs."""

    hosts: tuple[str, ...] = ()
    """Host names; empty if any will do."""
    scheme: Literal["http", "https"] = "http"
    prefix: str = ""
    """The mount without its trailing slash."""


ANYHOW = Reached()
"""By plain HTTP, at any host."""


def start_discovery(
    ref: AppRef | None,
    directory: Path,
    *,
    program: Sequence[str] = (),
    timeout: float = IMPORT_TIMEOUT_SECONDS,
    who: Mapping[str, Any] | None = None,
    reached: Reached = ANYHOW,
    salt: str = "",
) -> Discovery:
    """Starts asking and returns at once; `facts()` of the result waits for the answer, `close()` gives up.

    With a `ref` of None, the app is searched in `directory`. Raises UsageError if the app is not where the user says.
    `who` is for Popen: the user that imports the app, if it is not the current one. `reached` is how clients reach
    it. With a `salt`, the facts describe the app's secret keys, with digests that can be compared between processes
    that got the same salt. `program` is the command of another interpreter (`app_servers.start`); empty: this one.
    """
    return Discovery(ref, directory, program or _CHILD, timeout, who or {}, reached, salt)


class Discovery:
    """A running question to the app. The child ends with `facts()`, with `close()`, or with this process."""

    def __init__(
        self,
        ref: AppRef | None,
        directory: Path,
        program: Sequence[str],
        timeout: float,
        who: Mapping[str, Any],
        reached: Reached,
        salt: str = "",
    ) -> None:
        self.memory = 0
        """The memory of the asking process in bytes, after it loaded the app; 0 before."""
        self._name = str(ref) if ref else str(directory)
        self._timeout, self._who = timeout, dict(who)
        self._asked_at = time.monotonic()
        self._give_up_at = self._asked_at + timeout + _GRACE_SECONDS
        self._printed = os.memfd_create("portico-discovery")
        self._answer, answer_to = os.pipe()
        self._lifeline, hold = os.pipe()
        os.set_blocking(self._answer, False)
        ends = (answer_to, hold)
        asked = (directory, ref or "", msgspec.json.encode(reached).decode(), salt)
        words = (*ends, os.getpid(), timeout, *asked)
        try:
            self._child = self._start([*program, *map(str, words)], ends)
        finally:
            os.close(answer_to)
            os.close(hold)

    def facts(self, waits: Callable[[float], None] = lambda _: None) -> AppFacts:
        """Waits for the app's answer. Raises UsageError or ImportFailedError; call it once.

        `waits` is called repeatedly with the seconds elapsed so far.
        """
        try:
            text = self._read(waits)
            if text.startswith(b"{"):
                return self._decode(text)
            raise ImportFailedError(self._silence(text.decode(errors="replace")))
        finally:
            self.close()

    def close(self) -> None:
        """Ends the child and its descendants; a second call does nothing."""
        if self._printed < 0:
            return
        self._kill()
        self._close_descriptors()

    def _start(self, argv: list[str], ends: tuple[int, int]) -> subprocess.Popen[bytes]:
        # A session of its own: getpass() then finds no terminal to wait for, and killing the group ends exactly this
        # child.
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=ends,
                start_new_session=True,
                **self._who,
            )
        except OSError as error:
            self._close_descriptors()
            raise UsageError(Problem(argv[0], f"cannot be run: {error.strerror}")) from None

    @property
    def is_late(self) -> bool:
        """Whether the time limit has passed."""
        return self.seconds >= self._timeout

    @property
    def seconds(self) -> float:
        """Seconds since the question started."""
        return time.monotonic() - self._asked_at

    def _read(self, waits: Callable[[float], None]) -> bytes:
        """The child's whole answer: read until it is complete, the child has ended, or the time is up."""
        text = b""
        poll = select.poll()
        poll.register(self._answer, select.POLLIN)
        while time.monotonic() < self._give_up_at:
            waits(self.seconds)
            ended = self._child.poll() is not None
            poll.poll(0 if ended else _TICK_SECONDS * 1000)
            piece = self._piece()
            text += piece or b""
            is_whole = text[:1] == b"{" and text.endswith(b"\n")
            if piece == b"" or (ended and piece is None) or is_whole or len(text) > _LONGEST_ANSWER:
                break
        return text

    def _piece(self) -> bytes | None:
        """The next bytes: empty at the end, None if there are none now."""
        try:
            return os.read(self._answer, 1 << 16)
        except BlockingIOError:
            return None

    def _decode(self, text: bytes) -> AppFacts:
        try:
            answer = decoded(text, _Answer)
        except UnreadableError as error:
            raise ImportFailedError(Problem(self._name, f"the app's facts cannot be read: {error}")) from None
        self.memory = answer.memory
        if answer.facts:
            return self._with_note_on_run(answer.facts)
        raise self._error(answer)

    def _with_note_on_run(self, facts: AppFacts) -> AppFacts:
        if "Ignoring a call to 'app.run()'" not in self._what_it_printed():  # flask.Flask.run
            return facts
        return msgspec.structs.replace(facts, notes=[*facts.notes, _RUNS])

    def _error(self, answer: _Answer) -> PorticoError:
        if not answer.is_import:
            return UsageError(answer.problem)
        quote = answer.problem.quote + self._what_it_printed()
        return ImportFailedError(replace(answer.problem, quote=quote))

    def _silence(self, text: str) -> Problem:
        """Explains why there is no answer; `text` is what the child wrote instead: a stack, or nothing."""
        code = self._ended()
        if code is None or text.startswith("Timeout"):
            what = f"the import did not finish within {Duration(self._timeout)}"
            hint = f'if it needs longer: start_timeout = "{longer(self._timeout)}" in portico.toml\n{_WAITS}'
        elif code == CLOSED:
            what, hint = (
                "the app closed file descriptors that it did not open, while it was imported",
                _CLOSES,
            )
        elif code < 0:
            what, hint = (
                f"{_signal_name(-code)} ended the app while it was imported",
                _signal_hint(-code),
            )
        else:
            what, hint = f"the app ended the process while it was imported, with exit code {code}", _EXITS
        return Problem(self._name, what, hint, (_stack(text) + self._what_it_printed()).lstrip("\n"))

    def _ended(self) -> int | None:
        try:
            return self._child.wait(max(0.0, self._give_up_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    def _what_it_printed(self) -> str:
        size = os.fstat(self._printed).st_size
        tail = os.pread(self._printed, _PRINTED_BYTES, max(0, size - _PRINTED_BYTES)).decode(errors="replace")
        lines = tail.rstrip().splitlines()[-_PRINTED_LINES:]
        return "\n".join(["", "", "it printed:", *(f"  {line}" for line in lines)]) if lines else ""

    def _close_descriptors(self) -> None:
        for descriptor in (self._answer, self._lifeline, self._printed):
            os.close(descriptor)
        self._printed = -1

    def _kill(self) -> None:
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # all of them have ended
        self._child.wait()


class NoApp:
    """The stand-in for a Discovery when every server is elsewhere, or rules answer everything."""

    def __init__(self, directory: Path, known: AppFacts | None = None) -> None:
        self._directory = directory
        self._known = known or AppFacts("", "")

    seconds, is_late, memory = 0.0, False, 0

    def facts(self, _: Callable[[float], None] = lambda _: None) -> AppFacts:
        """Those that are known of the app elsewhere."""
        directory = str(self._directory.absolute())
        return msgspec.structs.replace(self._known, app="", directory=directory, kind="remote")

    def close(self) -> None:
        """Does nothing: nothing was started."""


class _Answer(msgspec.Struct):
    """The child's output: the facts, or an error."""

    facts: AppFacts | None = None
    memory: int = 0
    problem: Problem = Problem("", "")
    is_import: bool = False


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _signal_hint(number: int) -> str:
    if number == signal.SIGKILL:
        return "the kernel does this when memory runs out: see dmesg, and the memory limit of the container"
    return ""


def _stack(text: str) -> str:
    """The importing thread's stack that faulthandler wrote, in the format of Python's tracebacks."""
    importing = text.rpartition("Thread 0x")[2]
    frames = [match for match in _FRAME.finditer(importing) if not _is_ours(match["file"])]
    lines = [_frame(match) for match in reversed(frames)]
    return "".join(["It was here (most recent call last):\n", *lines]).rstrip() if lines else ""


def _frame(match: re.Match[str]) -> str:
    source = linecache.getline(match["file"], int(match["line"])).strip()
    place = f'  File "{match["file"]}", line {match["line"]}, in {match["name"]}\n'
    return place + (f"    {source}\n" if source else "")


def _is_ours(filename: str) -> bool:
    ours = filename.startswith((_PORTICO, "<frozen importlib", "<string>"))
    return ours or filename.endswith("/importlib/__init__.py")
