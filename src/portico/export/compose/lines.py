"""Lines of the files. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.files import Line


def lines(text: str) -> Iterator[Line]:
    yield from map(Line, text.split("\n"))
