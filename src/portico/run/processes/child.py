"""Starts a program as a child that cannot outlive Portico, and ends it with all its descendants.

Each child leads its own process group: Ctrl-C in the terminal does not reach it, and its orphans (nginx's workers
after a kill -9 of their master) are found and ended by the group's number. All stay in one session: the kernel
schedules each session as one group (sched(7), autogroup), and if the gateway and the app were in different groups,
passing a request would cost a tenth more CPU.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import IO

from msgspec import Struct

from portico.place.owner import as_user
from portico.place.tools import without_tools
from portico.run.machine.action import StopMode
from portico.run.processes import exec_shim, proc
from portico.run.processes.exec_shim import LISTENER_FD
from portico.site.variables import without

UNKNOWN = 255
"""The exit code of a child that other code collected, as in asyncio."""


class Signals(Struct, frozen=True):
    """The signals of a program for each stop mode."""

    drain: signal.Signals
    hurry: signal.Signals
    ignored: int = 0
    """Without a meaning until the program has a handler for it; by default it would end the program. 0: none."""
    orphan: Callable[[int], None] | None = None
    """Asks a member of the group, by its pid, to finish and exit when the leader is dead; None: `drain` does."""


APP_SERVER = Signals(drain=signal.SIGTERM, hurry=signal.SIGQUIT)
"""Gunicorn's signals; uWSGI with die-on-term understands both, too."""


RENEWED_BY_HUP = Signals(drain=signal.SIGTERM, hurry=signal.SIGQUIT, ignored=signal.SIGHUP)
"""Of an app server that starts other workers at SIGHUP: before it has a handler, none of them has read the code."""


def app_server(is_renewed: bool) -> Signals:
    """Its signals; with `is_renewed` those for development."""
    return RENEWED_BY_HUP if is_renewed else APP_SERVER


class Child(Struct):
    """A started program. `code` is set once it has exited; its group may still have members then."""

    name: str
    pid: int
    started: int
    """In clock ticks since boot, as `proc` reads it: together with the pid it identifies the process."""
    signals: Signals
    process: subprocess.Popen[bytes]
    code: int | None = None
    group_is_gone: bool = False

    @property
    def stderr(self) -> IO[bytes] | None:
        return self.process.stderr

    @property
    def output(self) -> IO[bytes] | None:
        """Its standard output and standard error, if `start` was told to read both."""
        return self.process.stdout

    def end(self, mode: StopMode) -> None:
        """Ask it to exit. A dead leader cannot forward the signal, so the rest of its group gets it."""
        if mode is StopMode.KILL:
            self.signal_group(signal.SIGKILL)
        elif self.code is not None:
            self._end_orphans()
        else:
            number = self.signals.hurry if mode is StopMode.HURRY else self.signals.drain
            os.kill(self.pid, number)  # not reaped yet, so the pid is still ours

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has exited."""
        if self.code is None:
            os.kill(self.pid, number)

    def _end_orphans(self) -> None:
        if self.signals.orphan is None:
            self.signal_group(self.signals.drain)
        elif not self.group_is_gone:
            for member in proc.group_of(self.pid):  # not reaped yet, so the pids are still theirs
                self.signals.orphan(member.pid)

    def signal_group(self, number: signal.Signals) -> None:
        """Send it to every member of the group; safe when all of them are gone."""
        if self.group_is_gone:
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # Only zombies are left of it (EPERM: members that changed their user, which we cannot reach).
            pass

    def reap(self) -> bool:
        """Reap exited members of the group; True if the leader was among them.

        `adopt_orphans` makes us the parent of every orphaned member, and a group's number stays in use until every
        member is reaped: so none is missed, and no other process is hit.
        """
        had_ended = self.code is not None
        while not self.group_is_gone:
            try:
                pid, status = os.waitpid(-self.pid, os.WNOHANG)
            except ChildProcessError:
                self.group_is_gone = True
                if self.code is None:  # other code reaped it, so its exit code is unknown
                    self.code = self.process.returncode = UNKNOWN
                break
            if pid == 0:
                break
            if pid == self.pid:
                self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.code is not None and not had_ended


def start(
    name: str,
    argv: tuple[str, ...],
    *,
    cwd: str,
    env: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    signals: Signals,
    listener: socket.socket | None = None,
    keeps: tuple[int, ...] = (),
    user: str = "",
    reads_stderr: bool = False,
    reads_output: bool = False,
    reads_terminal: bool = False,
    stdout: int = 2,
) -> Child:
    """Start a program; must be called from the main thread. Raises OSError if it cannot be started.

    Its standard output goes to our standard error, because our standard output is for results; `stdout` 1 is for a
    program whose output is a result, too. `secrets` are variables that win over `env`. `user` is its user, empty for
    ours. PWD is `cwd`: otherwise Gunicorn would use our PWD for its own directory if both are the same place, and
    through a link in it load the code of another release later. `reads_stderr` gives us a pipe, and `reads_output`
    one for both. With `reads_terminal` it has our standard input: it gives up its terminal, and so no key is a signal
    for it, and no signal stops it. `keeps` are descriptors that it inherits under their own numbers.
    """
    _keep_listener_fd_taken()
    socket_fd = exec_shim.NO_LISTENER if listener is None else listener.fileno()
    environ = {**environment(), **env, "PWD": cwd}
    failed, report = os.pipe()
    try:
        process = subprocess.Popen(
            # It ends with the thread that starts it, hence the main thread.
            exec_shim.command(os.getpid(), signals.drain, report, socket_fd, signals.ignored, argv),
            cwd=cwd,
            **{"env": environ, **as_user(user, environ, secrets)},
            stdin=None if reads_terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads_output else stdout,
            stderr=subprocess.STDOUT if reads_output else subprocess.PIPE if reads_stderr else None,
            process_group=0,
            pass_fds=(*keeps, report) if listener is None else (*keeps, report, socket_fd),
        )
    except BaseException:
        os.close(failed)
        raise
    finally:
        os.close(report)
    _await_program(process, failed, argv[0])
    entry = proc.entry(process.pid)  # not reaped yet, so the entry exists even if it failed at once
    return Child(name, process.pid, entry.started if entry else 0, signals, process)


def _await_program(process: subprocess.Popen[bytes], failed: int, program: str) -> None:
    """Wait until the shim has become the program, which closes the pipe. Raises OSError if that failed."""
    with open(failed, "rb") as reports:
        number = reports.read()
    if number:
        with process:  # closes its pipe and reaps it
            raise OSError(int(number), os.strerror(int(number)), program)


def environment() -> dict[str, str]:
    """Our environment as a program gets it, without variables that would decide for it, and without our options."""
    return without_tools(without(os.environ))


def _keep_listener_fd_taken() -> None:
    """No descriptor of ours may occupy the number of the child's socket; subprocess's error pipe could."""
    while (fd := os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)) <= LISTENER_FD:
        pass  # stays open on purpose
    os.close(fd)
