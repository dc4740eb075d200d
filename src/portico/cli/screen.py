"""Output of a running site: request lines to stdout, the rest to stderr. A blocked reader cannot stop the site."""

from __future__ import annotations

import os
import sys

import click

from portico.cli import output
from portico.cli.journal import Priority, marked
from portico.watch.writer import FLUSH_SECONDS, Writer

_CLEAR = b"\r\x1b[K"


class Screen:
    def __init__(self) -> None:
        self._is_plain = {fd: bool(os.environ.get("NO_COLOR")) or not os.isatty(fd) for fd in (1, 2)}
        sys.stdout.flush()
        sys.stderr.flush()
        self._results, self._talk = Writer(1), Writer(2)
        self._has_told = False
        self._bar = ""

    @property
    def is_terminal(self) -> bool:
        """Whether stderr is a terminal, where a line can be overwritten."""
        return not self._is_plain[2]

    def copy(self, text: bytes) -> None:
        """Prints whole lines of a file unchanged."""
        self._results.write(text)

    def lose(self) -> None:
        """Notes that lines were left out because the reader is too slow."""
        self._results.lose()

    @property
    def has_room(self) -> bool:
        """Whether the reader of stdout keeps up."""
        return self._results.has_room

    def show(self, lines: list[str]) -> None:
        """Prints lines of the result."""
        for line in lines:
            line = output.tamed(line)
            text = _ended(click.unstyle(line) if self._is_plain[1] else line)
            self._results.write(_CLEAR + text if self._bar and not self._is_plain[1] else text)

    def say(self, text: str, priority: Priority = Priority.INFO) -> None:
        """Prints a message about progress."""
        text = output.tamed(text)
        line = _ended(marked(click.unstyle(text) if self._is_plain[2] else text, priority))
        self._talk.write(_CLEAR + line + self._bar.encode() if self._bar else line)

    def progress(self, bar: str) -> None:
        """Shows progress in a last line that is overwritten; an empty text removes it.

        A file or a journal gets no such line.
        """
        if not self._is_plain[2] and bar != self._bar:
            self._bar = bar
            self._talk.write(_CLEAR + bar.encode())

    def tell_losses(self, log: str) -> None:
        """Report once that request lines are not read."""
        if self._results.dropped and not self._has_told:
            self._has_told = True
            why = f"{_why(self._results.error)}; the site keeps serving, see {log}"
            self.say(click.style(why, fg="yellow"), Priority.WARNING)

    def close(self) -> None:
        """Write waiting output, for a limited time: messages first, because there may be many request lines."""
        self.progress("")
        patience = FLUSH_SECONDS
        for writer in (self._talk, self._results):
            patience = writer.close(patience)


def _ended(line: str) -> bytes:
    return f"{line}\n".encode("utf-8", "backslashreplace")


def _why(error: OSError | None) -> str:
    if isinstance(error, BrokenPipeError):
        return "the reader of the request lines has gone"
    if error is not None:
        return f"the request lines cannot be written ({error.strerror})"
    return "the reader of the request lines is too slow, some are left out"
