"""The background processes that run now. Their output is the site's, with their name before each line."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.place.tools import with_programs
from portico.plan.files import Process
from portico.plan.model import Plan
from portico.protocol import notices
from portico.run.disk import app_output
from portico.run.machine import action as do
from portico.run.machine.action import StopMode
from portico.run.processes.child import Child, Signals
from portico.run.processes.stderr import FAST_LINES, Lines
from portico.run.processes.table import Processes
from portico.run.running import SayNews

_SIGNALS = Signals(drain=signal.SIGTERM, hurry=signal.SIGTERM)
_LOOK_SECONDS = 0.05


class BackgroundProcesses:
    """`ended` gets the id of one that has ended with all its group, and its exit code. Used in the loop's thread."""

    def __init__(self, processes: Processes, say: SayNews, *, ended: Callable[[int, int], None]) -> None:
        self._processes, self._say, self._report_end = processes, say, ended
        self._running: dict[int, tuple[Child, Lines]] = {}

    def start(self, action: do.StartBackground, plan: Plan) -> None:
        """Start a process of that plan. Raises OSError, and PorticoError if there is no such program."""
        at, number, name = action.id, action.number, action.name
        process = plan.background[name]
        child = self._begin(at, name, number, process)
        self._say(notices.BackgroundStarted(name, number, child.pid, shlex.join(process.argv)))

        def hear(line: str) -> None:
            self._say(notices.ServerSaid(f"{name}: {line}"))
            if plan.app_log:
                app_output.append(plan.app_log, process.user, child.pid, f"{name}: {line}")

        lines = Lines(hear, partial(self._slowed, name))
        lines.follow(child.output)
        self._running[at] = child, lines

    def _begin(self, at: int, name: str, number: int, process: Process) -> Child:
        env = {**process.env, "PATH": with_programs(os.environ, process.python)["PATH"]}
        try:
            return self._processes.start(
                f"process {name} {number}",
                process.argv,
                partial(self._ended, at),
                cwd=process.cwd,
                env=env,
                secrets=process.secrets,
                signals=_SIGNALS,
                user=process.user,
                reads_output=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            # A name is refused, too, if a directory of PATH may not be searched; an error of `cwd` names that.
            program, what = process.argv[0], f"{shlex.join(process.argv)}: cannot be started"
            if error.filename != program:
                raise
            hint = (
                f"no such program in {Path(process.python).parent} or in PATH: install it, or give its path"
            )
            if "/" in program:
                is_missing = isinstance(error, FileNotFoundError)
                hint = (
                    f"no such file, seen from {process.cwd}" if is_missing else "look at its mode and owner"
                )
            raise PorticoError(Problem(f"[processes] {name}", what, hint)) from None

    def _slowed(self, name: str) -> None:
        what = f"process {name} writes more than {FAST_LINES} lines a second: it is read with pauses, and has to wait"
        self._say(notices.Trouble(Problem(f"[processes] {name}", what, "let it write less")))

    def end(self, at: int, mode: StopMode) -> None:
        """Ask it to exit; one that never existed has exited."""
        if found := self._running.get(at):
            found[0].end(mode)
        else:
            self._report_end(at, 0)

    def pids(self) -> dict[int, int]:
        return {at: child.pid for at, (child, _) in self._running.items() if child.code is None}

    def forget_all(self) -> None:
        """They were ended elsewhere, without an event."""
        for _, lines in self._running.values():
            lines.follow(None)
        self._running = {}

    def _ended(self, at: int, child: Child) -> None:
        """What it started ends first (`Processes` sees to it): it shall not run beside the next start."""
        if at not in self._running:
            return
        if not child.group_is_gone:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._ended, at, child)
            return
        _, lines = self._running.pop(at)
        lines.last()
        lines.follow(None)
        self._report_end(at, child.code or 0)
