"""Reads the lines of a log; unreadable ones are counted and reported, with the same message everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from portico.log import app_output, request
from portico.log.app_output import Entry
from portico.log.request import Request
from portico.place.untrusted import opened

_Line = TypeVar("_Line")


class Reader(Generic[_Line]):
    """`unread` counts the unreadable lines; `complaint` reports them and resets the count."""

    def __init__(self, parse: Callable[[str | bytes], _Line | None], name: str) -> None:
        self._parse, self._name = parse, name
        self.unread = 0

    def read(self, lines: Iterable[str | bytes]) -> Iterator[_Line]:
        for line in lines:
            found = self._parse(line)
            if found is None:
                self.unread += 1
            else:
                yield found

    def complaint(self) -> str:
        """A sentence about unreadable lines since the last call; empty if there are none."""
        count, self.unread = self.unread, 0
        return unread_lines(count, self._name) if count else ""


def request_reader() -> Reader[Request]:
    return Reader(Request.parse, request.NAME)


def entry_reader() -> Reader[Entry]:
    return Reader(Entry.parse, app_output.NAME)


def unread_lines(count: int, name: str = request.NAME) -> str:
    """The message about unreadable lines: they are never dropped silently."""
    return f"{count} {'line' if count == 1 else 'lines'} of {name} could not be read"


def last_lines(log: Path, most: int) -> list[bytes]:
    """The complete lines in the last `most` bytes of a file; none if it is unreadable."""
    try:
        with open(log, "rb", opener=opened) as file:  # the app's own file may be a FIFO by now
            start = max(0, os.fstat(file.fileno()).st_size - most - 1)
            file.seek(start)
            text = file.read(most + 1)
    except OSError:
        return []
    lines = text.split(b"\n")[:-1]  # the last one is incomplete, or empty
    return lines[1:] if start else lines
