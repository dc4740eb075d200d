"""The only place that prints. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec

from portico.cli.journal import Priority, marked
from portico.errors import PorticoError
from portico.watch.lines import visible

T = TypeVar("T")

_FOREIGN = re.compile(
    r"(?P<ours>\x1b\[(?:0|1|2|31|32|33)m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Characters that control a terminal or reorder text; Portico adds its own colours later."""


class Json(str):
    """Prints text for programs unchanged. JSON itself contains no control characters below a space."""

    __slots__ = ()


def safe(value: T) -> T:
    """Escapes control characters in text from outside (the app, its clients, files, other programs).

    In a dict, list, tuple or Struct it escapes every text. Line ends stay.
    """
    made: Any = value
    if isinstance(value, str):
        made = "\n".join(map(visible, value.split("\n")))
    elif isinstance(value, dict):
        made = {safe(name): safe(item) for name, item in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)(map(safe, value))
    elif isinstance(value, msgspec.Struct):
        made = msgspec.convert(safe(msgspec.to_builtins(value)), type(value))
    return made  # type: ignore[no-any-return]


def tamed(text: str) -> str:
    """Escapes a whole output line that may have our colours: the last check before printing."""
    if isinstance(text, Json):
        return text
    return _FOREIGN.sub(lambda found: found["ours"] or visible(found[0]), text)


def result(text: str = "") -> None:
    """Prints a line of the result."""
    click.echo(tamed(text), color=_colour(sys.stdout))


def results(lines: list[str]) -> None:
    """Prints many lines of the result in one write."""
    if lines:
        result(Json("\n".join(map(tamed, lines))))


def say(text: str = "", priority: Priority = Priority.INFO) -> None:
    """Prints a line about progress to stderr."""
    click.echo(marked(tamed(text), priority), err=True, color=_colour(sys.stderr))


@contextmanager
def unheard() -> Iterator[None]:
    """What is printed here may find nobody: a reader that has gone, a closed terminal, a full disk. The rest goes to
    /dev/null then.
    """
    try:
        yield
    except OSError:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(error: PorticoError) -> None:
    """Prints every problem of an error, its place in bold."""
    for problem in error.problems:
        text, where = safe(str(problem)), safe(problem.where)
        say(text.replace(where, strong(where), 1) if where else text, Priority.ERROR)


def as_json(value: Any) -> str:
    """A value of ours as indented JSON."""
    return Json(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def as_json_line(value: Any) -> str:
    """A value of ours as JSON on one line."""
    return Json(msgspec.json.encode(value, enc_hook=str).decode())


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
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
