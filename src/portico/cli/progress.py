"""What a command that takes seconds says meanwhile, and how a signal ends it."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from portico.cli import output

_WIDEST = 100
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """A signal to end ends the command, with all that it does at its end."""
    signals = [one for one in _ENDING if signal.getsignal(one) != signal.SIG_IGN]  # nohup ignores SIGHUP
    before = [signal.signal(one, lambda number, _: sys.exit(128 + number)) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Prints progress: on a terminal in one line that is overwritten. Signals end it."""
    is_terminal = sys.stderr.isatty()
    width = min(_WIDEST, shutil.get_terminal_size().columns - 1)  # a line that wraps is not overwritten

    def say(text: str) -> None:
        if is_terminal:
            click.echo(f"\r\x1b[K{output.tamed(output.safe(text))[:width]}", nl=False, err=True)
        else:
            output.say(output.safe(text))

    with ended_by_signals():
        try:
            yield say
        finally:
            if is_terminal:
                click.echo("\r\x1b[K", nl=False, err=True)
