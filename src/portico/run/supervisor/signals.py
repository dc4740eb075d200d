"""Turns signals into events: SIGTERM, SIGINT and SIGQUIT stop, SIGHUP reloads, SIGUSR1 reopens the logs, SIGCHLD
reports exited children. Other signals that app servers understand get a message."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from portico.errors import DONE, Problem
from portico.protocol import notices
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.supervisor.early_signals import WITHOUT_MEANING

STRANGER_SECONDS = 1.0
"""A zombie that stays this long is not ours: PID 1 adopts all orphans."""


def listen(
    tell: Callable[[Event], None],
    reap: Callable[[], None],
    reopen: Callable[[], None],
    say: Callable[[notices.Notice], None],
) -> None:
    """Active until the running loop ends. `reap` collects our own children; adopted processes are collected here.

    SIGUSR1 calls `reopen`: the log files are opened again, as in the gateway.
    """
    loop, strangers = asyncio.get_running_loop(), _Strangers(reap)
    loop.add_signal_handler(signal.SIGUSR1, reopen)
    for number, instead in WITHOUT_MEANING.items():
        what = f"{number.name} has no meaning for Portico and is ignored"
        loop.add_signal_handler(number, say, notices.Trouble(Problem("", what, instead)))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell, was.StopAsked(128 + number))
    loop.add_signal_handler(
        signal.SIGQUIT, tell, was.StopAsked(DONE)
    )  # as in the gateway, and without a core dump
    loop.add_signal_handler(signal.SIGHUP, _hung_up, tell, os.isatty(2))
    loop.add_signal_handler(signal.SIGCHLD, _child_ended, reap, strangers)


def _hung_up(tell: Callable[[Event], None], had_terminal: bool) -> None:
    """SIGHUP asks for a reload, unless it reports that our terminal was closed."""
    is_gone = had_terminal and not os.isatty(2)
    tell(was.StopAsked(128 + signal.SIGHUP) if is_gone else was.ReloadAsked())


def _child_ended(reap: Callable[[], None], strangers: _Strangers) -> None:
    reap()
    strangers.look_later()


class _Strangers:
    """Reaps zombies that belong to nobody else: a plain waitpid(-1) would take those of `subprocess`."""

    def __init__(self, reap: Callable[[], None]) -> None:
        self._reap = reap
        self._seen = 0
        self._is_due = False

    def look_later(self) -> None:
        """Look when a zombie has stayed for a while: one look at a time, or two would find the same one."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(STRANGER_SECONDS, self.look)

    def look(self) -> None:
        """Reap the one seen at the last look, if it is still there."""
        self._is_due = False
        self._reap()  # ours first: on a busy machine this may run before the signal that reports them
        before, self._seen = self._seen, _dead_child()
        if self._seen and self._seen == before:
            os.waitpid(before, os.WNOHANG)
            self._seen = _dead_child()
        if self._seen:
            self.look_later()


def _dead_child() -> int:
    """The pid of an exited child that was not reaped, 0 if there is none."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0
