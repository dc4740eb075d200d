"""A line of nginx's error log about a limit: the client that it refused, or would have refused."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Self

import msgspec

MARK = " limiting "
_LINE = re.compile(
    r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[\w+\] \d+#\d+: \*\d+ limiting (?:requests|connections)(, dry run,?)?"
    r'(?:, excess: [\d.]+)? by zone "(\w{1,200})", client: ([0-9a-fA-F.:]{2,45}|unix:), server: '
)


class Refusal(msgspec.Struct, frozen=True):
    """`at` is its Unix time. Text that the client chose comes after what is parsed here."""

    at: float
    zone: str
    client: str
    is_dry_run: bool

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """None for a line about something else."""
        found = _LINE.match(line) if MARK in line else None
        if found is None:
            return None
        at = datetime.fromisoformat(found[1].replace("/", "-")).astimezone().timestamp()
        return cls(at, found[3], found[4], found[2] is not None)
