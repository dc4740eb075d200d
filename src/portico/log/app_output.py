"""A line of app.log: the app's output (`link/app_output` writes it)."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from portico.decoding import UNREADABLE, Pid

NAME: Final = "app.log"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the app's output: `id` of the request that it served then, empty outside of one. Every entry has
    a `text`.
    """

    time: str = ""
    id: str = ""
    pid: Pid = 0
    stream: str = ""
    text: str

    @classmethod
    def parse(cls, line: str | bytes) -> Self | None:
        """The entry of a line; None if it is unreadable."""
        try:
            return msgspec.json.decode(line, type=cls)
        except UNREADABLE:
            return None
