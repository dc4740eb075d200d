"""Turns signals into events: SIGTERM, SIGINT and SIGQUIT stop, SIGHUP reloads, SIGUSR1 reopens the logs, SIGCHLD
reports exited children. Other signals that app servers understand get a message."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from portico.errors import DONE, Problem
from portico.protocol import notices
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.processes import strangers
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
    loop, looks = asyncio.get_running_loop(), _Strangers(reap)
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
    loop.add_signal_handler(signal.SIGCHLD, _child_ended, reap, looks)


def _hung_up(tell: Callable[[Event], None], had_terminal: bool) -> None:
    """SIGHUP asks for a reload, unless it reports that our terminal was closed."""
    is_gone = had_terminal and not os.isatty(2)
    tell(was.StopAsked(128 + signal.SIGHUP) if is_gone else was.ReloadAsked())


def _child_ended(reap: Callable[[], None], looks: _Strangers) -> None:
    reap()
    looks.look_later()


class _Strangers:
    """Reaps zombies that belong to nobody else: a plain waitpid(-1) would take those of `subprocess`."""

    def __init__(self, reap: Callable[[], None]) -> None:
        self._reap = reap
        self._seen: strangers.Known = frozenset()
        self._is_due = False

    def look_later(self) -> None:
        """Look when a zombie has stayed for a while: one look at a time, or two would find the same one."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(STRANGER_SECONDS, self.look)

    def look(self) -> None:
        """Reap all that are certainly strangers, and those seen at the last look, if they are still there."""
        self._is_due = False
        self._reap()  # ours first: on a busy machine this may run before the signal that reports them
        if not _is_one_dead():  # the usual case costs one system call
            self._seen = frozenset()
            return
        with suppress(OSError):  # no descriptor is free to look for them: the next look may work
            self._seen = strangers.reap(self._seen)
        if _is_one_dead():  # kept for the next look, or missed while it ended
            self.look_later()


def _is_one_dead() -> bool:
    """Whether a child has exited and was not reaped."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
