"""`portico top`: a live view of a running site in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from portico.cli import output
from portico.cli.look.top_screen import HELP, Shown, lines
from portico.cli.running import one_site, running_site
from portico.errors import PorticoError, Problem
from portico.protocol.commands import LIVE, FollowLive
from portico.protocol.feed import Error, Item, Mark
from portico.run.control import client

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""xterm's escape sequences for the alternate screen without a cursor, and for the way back."""
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_HISTORY = 60


@click.command("top")
@running_site
@click.option("--once", is_flag=True, help="Print it once and end.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a second, or with --once just one.")
def command(app: str | None, config: str | None, name: str, once: bool, is_json: bool) -> None:
    """Show a running site live: rates from the clients to each worker, times, slowest routes, errors.

    q ends it, ? explains the screen.
    """
    runtime = one_site(app, config, name)
    items = client.ask(runtime, LIVE, FollowLive(once))
    if is_json:
        for item in items:
            output.result(output.as_json(item) if once else output.as_json_line(item))
    elif once or not output.is_terminal():
        output.results(lines(output.safe(next(_whole(items))), shutil.get_terminal_size().columns, 200))
    else:
        _live(items)


def _live(items: Iterator[Item]) -> None:
    try:
        with _screen() as keys:
            for shown in _whole(items):
                size = shutil.get_terminal_size()
                rows = HELP if keys.wants_help else lines(output.safe(shown), size.columns, size.lines)
                _draw(rows[: size.lines - 1])
    except KeyboardInterrupt:
        return
    raise PorticoError(Problem("", "the site has stopped"))


def _whole(items: Iterator[Item]) -> Iterator[Shown]:
    """Each moment with the history, marks and errors before it."""
    rates: list[float] = []
    errors: dict[str, Error] = {}
    marks: list[Mark] = []
    for item in items:
        rates += [second.rate for second in item.history or (item.second,) if second]
        rates = rates[-_HISTORY:]
        for error in item.errors:
            errors.pop(error.key, None)
            if error.count:
                errors[error.key] = error
        errors = dict([*errors.items()][-30:])
        marks = [*marks, *item.marks][-30:]
        yield Shown(item, tuple(rates), tuple(errors.values())[::-1], tuple(marks)[::-1])


def _draw(rows: list[str]) -> None:
    text = "".join(f"{output.tamed(row)}{_TO_END_OF_LINE}\r\n" for row in rows)
    click.echo(f"{_HOME}{text}{_TO_END}", nl=False)
    sys.stdout.flush()


class _Keys:
    """What the user asked for with keys."""

    wants_help = False


@contextmanager
def _screen() -> Iterator[_Keys]:
    """Use the whole terminal; q acts as Ctrl-C, ? shows and hides the help."""
    import signal
    import termios
    import threading
    import tty

    before, keys = termios.tcgetattr(0) if sys.stdin.isatty() else None, _Keys()

    def listen() -> None:
        while key := sys.stdin.read(1):
            if key in "qQ":
                signal.raise_signal(signal.SIGINT)
            if key in "?hH":
                keys.wants_help = not keys.wants_help

    click.echo(_ENTER, nl=False)
    try:
        if before is not None:
            tty.setcbreak(0)
            threading.Thread(target=listen, daemon=True).start()
        yield keys
    finally:
        if before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
        click.echo(_LEAVE, nl=False)
