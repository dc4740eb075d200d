"""One line of app.log, read back: what the app wrote (`link/app_output` writes it)."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from portico.decoding import UNREADABLE, Pid

NAME: Final = "app.log"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the app wrote: `id` of the request it served then, empty outside of one. Every entry has a `text`."""

    time: str = ""
    id: str = ""
    pid: Pid = 0
    stream: str = ""
    text: str

    @classmethod
    def parse(cls, line: str | bytes) -> Self | None:
        """The entry of a line; None when the line cannot be read."""
        try:
            return msgspec.json.decode(line, type=cls)
        except UNREADABLE:
            return None
