"""State of a site's certificates that survives restarts: attempts, failures, how long HTTPS has been healthy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

import msgspec

from portico.errors import Problem
from portico.place import untrusted
from portico.plan.subjects import Tls
from portico.run.tls import make
from portico.run.tls.schedule import hsts_seconds

NAME = "memory.json"


class Memory(msgspec.Struct):
    """Times are seconds since 1970, 0 for never."""

    tried: float = 0.0
    succeeded: float = 0.0
    failures: int = 0
    """Consecutive ones."""
    begun: int = 0
    """Attempts without a known end: Portico was killed."""
    was_unready: bool = False
    """Whether the last failure was found before the authority was asked."""
    next_try: float = 0.0
    """The earliest time of the next attempt; 0 for no delay."""
    problems: list[Problem] = []
    asked: list[str] = []
    """The names of the last attempt."""
    rehearsed: list[str] = []
    """The names of a successful rehearsal."""
    wished: float | None = None
    """The authority's time for the renewal (ARI)."""
    wished_for: str = ""
    """The fingerprint of the certificate that it applies to."""
    ask_wish: float = 0.0
    well_since: float | None = None
    """Since when a trusted certificate is served on every address without a break."""

    @classmethod
    def of(cls, tls: Tls) -> Self:
        """The stored state; empty if it cannot be read."""
        try:
            return untrusted.read_json(Path(tls.directory) / NAME, cls)
        except (OSError, ValueError):
            return cls()

    def keep(self, tls: Tls) -> None:
        """Store the state. Raises OSError."""
        make.write(Path(tls.directory) / NAME, msgspec.json.encode(self), 0o600)

    def hsts_seconds(self, tls: Tls) -> int:
        """The current max-age of HSTS."""
        proven = None if self.well_since is None else max(0.0, time.time() - self.well_since)
        return hsts_seconds(tls.hsts, proven)
