"""Ignores signals that would end or stop Portico during its start, when nothing handles them yet.

This file imports nothing slow: it is needed before anything else.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

WITHOUT_MEANING: Mapping[signal.Signals, str] = {
    signal.SIGUSR2: "portico reload starts the new code beside the old",
    signal.SIGTTIN: "portico scale NUMBER sets the number of workers",
    signal.SIGTTOU: "portico scale NUMBER sets the number of workers",
}
"""Signals for app servers, which people send to Portico, too; and what to do instead."""


def hold() -> None:
    """Until `signals.listen`. It avoids SIG_IGN, which every child would inherit."""
    for number in (signal.SIGUSR1, *WITHOUT_MEANING):
        signal.signal(number, _nothing)


class Ended(BaseException):
    """A signal ends a start; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def end_at_once() -> Iterator[None]:
    """SIGTERM and SIGQUIT end the start cleanly, as Ctrl-C does. PID 1 would otherwise ignore them."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    raise Ended(128 + number if number == signal.SIGTERM else 0)


def _nothing(*_: object) -> None:
    pass
