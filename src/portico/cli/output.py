"""The only place that prints. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
import msgspec

from portico.cli.journal import Priority, marked
from portico.errors import PorticoError


def result(text: str = "") -> None:
    """A line of what was asked for."""
    click.echo(text, color=_colour(sys.stdout))


def results(lines: list[str]) -> None:
    """Many lines of what was asked for, written at once."""
    if lines:
        result("\n".join(lines))


def say(text: str = "", priority: Priority = Priority.INFO) -> None:
    """A line about what is going on."""
    click.echo(marked(text, priority), err=True, color=_colour(sys.stderr))


def complain(error: PorticoError) -> None:
    """Every problem of an error, its place in bold."""
    for problem in error.problems:
        text = str(problem)
        say(text.replace(problem.where, strong(problem.where), 1) if problem.where else text, Priority.ERROR)


def as_json(value: Any) -> str:
    """Any of our values as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()


def as_json_line(value: Any) -> str:
    """The same on one line."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def is_terminal() -> bool:
    """True when a person reads stdout."""
    return sys.stdout.isatty()


def strong(text: str) -> str:
    return click.style(text, bold=True)


def faint(text: str) -> str:
    return click.style(text, dim=True)


def good(text: str) -> str:
    return click.style(text, fg="green")


def bad(text: str) -> str:
    return click.style(text, fg="red")


def warned(text: str) -> str:
    return click.style(text, fg="yellow")


def _colour(stream: Any) -> bool | None:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(stream.isatty())
