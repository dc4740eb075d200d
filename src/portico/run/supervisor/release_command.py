"""Runs the commands of [release]: before each release that is tried, and after it serves. Their output is the site's,
with their name before each line.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem
from portico.place.tools import with_programs
from portico.plan.files import Process
from portico.plan.model import Plan
from portico.protocol import notices
from portico.run.gateway.model import Tell
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import StopMode
from portico.run.processes.child import Child, Signals
from portico.run.processes.stderr import Lines
from portico.run.processes.table import Processes
from portico.run.running import SayNews

_SIGNALS = Signals(drain=signal.SIGTERM, hurry=signal.SIGTERM)
_LEAVES_SECONDS = 5.0
"""A migration that is told to end may roll its transaction back; then it is killed."""
_LOOK_SECONDS = 0.05
_GONE = "its release was given up"


class ReleaseCommands:
    """Both of them. Used in the loop's thread."""

    def __init__(self, processes: Processes, say: SayNews) -> None:
        self._say = say
        self._before = _ReleaseCommand("before", processes, say, notices.Preparing)
        self._after = _ReleaseCommand("after", processes, say, notices.Concluding)

    async def prepare(self, number: int, plan: Plan, tell: Tell) -> None:
        """Run what is to run before that release, and tell Prepared or NotPrepared."""
        problems = (await self._before.run(number, plan.before)).problems if plan.before else ()
        tell(was.NotPrepared(number, problems) if problems else was.Prepared(number))

    async def conclude(self, number: int, plan: Plan) -> None:
        """Run what is to run after it, and say what became of it."""
        if not (command := plan.after):
            return
        shown, end = shlex.join(command.argv), await self._after.run(number, command)
        if end.why:
            self._say(notices.ConclusionEnded(number, shown, end.why, end.was_started))
        elif end.problems:
            self._say(notices.NotConcluded(number, end.problems))
        else:
            self._say(notices.Concluded(number, shown))

    def end_after(self, action: do.EndConclude) -> None:
        self._after.end(action.number, action.why, action.mode)

    def give_up(self, number: int) -> None:
        """That release is gone."""
        self._before.end(number, _GONE)
        self._after.end(number, _GONE)

    async def leave(self) -> None:
        """Wait for those that were told to end, when every release was forgotten; what is left is killed."""
        await asyncio.gather(self._before.leave(), self._after.leave())


class _End(Struct, frozen=True):
    """How a command ended. `why` says why Portico ended it, or did not start it; empty if it ended by itself."""

    problems: tuple[Problem, ...] = ()
    why: str = ""
    was_started: bool = True


class _ReleaseCommand:
    """One of the two, and those of it that run now, by the number of their release. Used in the loop's thread.

    `begun` makes the notice of its start.
    """

    def __init__(
        self, name: str, processes: Processes, say: SayNews, begun: Callable[[int, str], notices.Notice]
    ) -> None:
        self._name, self._processes, self._say, self._begun = name, processes, say, begun
        self._where = f"[release] {name}"
        self._running: dict[int, tuple[Child, asyncio.Future[int]]] = {}
        self._wanted: dict[int, str] = {}
        """By number: why Portico ends it, empty as long as it is wanted."""

    async def run(self, number: int, command: Process) -> _End:
        """Run it to its end, as long as it takes, once an earlier one has ended. Raises OSError as `child.start`
        does.
        """
        self._wanted[number] = ""
        try:
            return await self._run(number, command)
        finally:
            del self._wanted[number]

    async def _run(self, number: int, command: Process) -> _End:
        if self._running:
            self._say(notices.CommandWaits(number, self._name, max(self._running)))
        while self._running and not self._wanted[number]:
            await asyncio.sleep(_LOOK_SECONDS)
        shown = shlex.join(command.argv)
        if why := self._wanted[number]:
            return _End((Problem(self._where, f"{shown} was not started", why),), why, was_started=False)
        self._say(self._begun(number, shown))
        try:
            code, last = await self._ended(number, command)
        except FileNotFoundError:
            hint = (
                f"no such program in {Path(command.python).parent} or in PATH: install it, or give its path"
            )
            return _End((Problem(self._where, f"{shown}: cannot be started", hint),))
        except PermissionError:
            return _End((Problem(self._where, f"{shown}: may not be started", "look at its mode and owner"),))
        problems = () if code == 0 else (_failed(self._where, shown, code, last),)
        return _End(problems, self._wanted[number])

    async def _ended(self, number: int, command: Process) -> tuple[int, str]:
        """Start it, and wait for its end: its exit code and its last lines. Raises OSError."""
        lines = Lines(lambda line: self._say(notices.ServerSaid(f"{self._name}: {line}")))
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def done(child: Child) -> None:
            if not ended.done():
                ended.set_result(child.code or 0)

        child = self._processes.start(
            f"{self._name} {number}",
            command.argv,
            done,
            cwd=command.cwd,
            env={**command.env, "PATH": with_programs(os.environ, command.python)["PATH"]},
            secrets=command.secrets,
            signals=_SIGNALS,
            user=command.user,
            reads_output=True,
        )
        self._running[number] = child, ended
        lines.follow(child.output)
        try:
            code = await ended
            while not child.group_is_gone:  # what it started: Processes ends that
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._running.pop(number, None)
            last = lines.last()
            lines.follow(None)
        return code, last

    def end(self, number: int, why: str, mode: StopMode = StopMode.DRAIN) -> None:
        """SIGTERM for it and all that it started, once, then SIGKILL; one that waits is not started."""
        was_told = bool(self._wanted.get(number))
        if (child := self._child(number)) and mode is StopMode.KILL:
            child.signal_group(signal.SIGKILL)
        elif child and not was_told:
            child.signal_group(signal.SIGTERM)
            asyncio.get_running_loop().call_later(_LEAVES_SECONDS, child.end, StopMode.KILL)
        if number in self._wanted and not was_told and (child is None or child.code is None):
            self._wanted[number] = why

    def _child(self, number: int) -> Child | None:
        found = self._running.get(number)
        return found[0] if found else None

    async def leave(self) -> None:
        if waits := [ended for _, ended in self._running.values()]:
            await asyncio.wait(waits, timeout=_LEAVES_SECONDS)


def _failed(where: str, shown: str, code: int, last: str) -> Problem:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    said = last.strip().rpartition("\n")[2]
    what = f"{shown} failed with {how}" + (f": {said}" if said else "")
    return Problem(where, what, "the rest of its output is in that of portico run; mend it and try again")
