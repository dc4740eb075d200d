"""A site's log files with the rotated ones, oldest first, and then new lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from portico.log.follow import Follower, lines_of
from portico.plan.paths import of_app

_NUMBER = re.compile(r"\.[1-9][0-9]{0,5}")


class Dated(Protocol):
    """The content of a line, with its Unix time."""

    @property
    def at(self) -> float: ...


T = TypeVar("T", bound=Dated)


class Logs(Struct, frozen=True):
    """The paths of the logs."""

    access: Path
    app: Path
    error: Path
    waf: Path

    @classmethod
    def of(cls, state: Path) -> Logs:
        known = [
            state / "app.log",
            Path(of_app(str(state)), "app.log"),
        ]  # the other may be an earlier user's
        app = max(known, key=lambda path: path.lstat().st_mtime if path.exists() else 0.0)
        return cls(state / "access.log", app, state / "error.log", state / "waf.log")


class Log:
    """One of them. `before` reads the rotated files, `lines` the current file and what is appended."""

    def __init__(self, path: Path, since: float = 0.0, *, is_untrusted: bool = False) -> None:
        self._path, self._since = path, since
        self._is_untrusted = is_untrusted
        self._follower = Follower(path, from_start=True, is_untrusted=is_untrusted)

    def before(self) -> Iterator[str]:
        """The lines of rotated files that may be at or after `since`."""
        for path in put_aside(self._path):
            try:
                if self._since and path.stat().st_mtime < self._since:
                    continue
                yield from lines_of(path, is_untrusted=self._is_untrusted)
            except OSError:
                continue  # rotated again at this moment

    def lines(self) -> Iterator[str]:
        """New lines since the last call, from the current file's beginning on."""
        return self._follower.lines()

    def all(self) -> Iterator[str]:
        """Every line that exists now, as `before` and `lines`."""
        return chain(self.before(), self.lines())

    def since(self, parse: Callable[[str], T | None]) -> Iterator[T]:
        """The contents of lines since `since`; `parse` returns None for a line about something else."""
        return self.each_since(lambda line: [found] if (found := parse(line)) else [])

    def each_since(self, read: Callable[[str], Iterable[T]]) -> Iterator[T]:
        """The same where a line may say several things."""
        for line in self.all():
            yield from (found for found in read(line) if found.at >= self._since)


def put_aside(path: Path) -> list[Path]:
    """access.log.8 ... access.log.1: the oldest first."""
    found = [
        (int(name.suffix[1:]), name)
        for name in path.parent.glob(f"{path.name}.*")
        if _NUMBER.fullmatch(name.suffix)
    ]
    return [name for _, name in sorted(found, reverse=True)]
