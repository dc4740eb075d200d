"""What is remembered of a site's certificates over restarts: tries, failures, how long HTTPS has been well."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

import msgspec

from portico.errors import Problem
from portico.place import untrusted
from portico.plan.model import Tls
from portico.run.tls import make
from portico.run.tls.schedule import hsts_seconds

NAME = "memory.json"


class Memory(msgspec.Struct):
    """Times are seconds since 1970, 0 for never."""

    tried: float = 0.0
    succeeded: float = 0.0
    failures: int = 0
    """In a row."""
    begun: int = 0
    """Tries of which no end is known: Portico was killed meanwhile."""
    was_unready: bool = False
    """Whether the last failure was seen before anybody was asked."""
    next_try: float = 0.0
    """Not before; 0 when nothing holds us back."""
    problems: list[Problem] = []
    asked: list[str] = []
    """The names of the last try."""
    rehearsed: list[str] = []
    """The names that a rehearsal was successful for."""
    wished: float | None = None
    """When the authority wants the certificate renewed (ARI)."""
    wished_for: str = ""
    """The fingerprint of the certificate that it is about."""
    ask_wish: float = 0.0
    well_since: float | None = None
    """Since when a trusted certificate is served on every address without a break."""

    @classmethod
    def of(cls, tls: Tls) -> Self:
        """What is remembered; nothing when it cannot be read."""
        try:
            return untrusted.read_json(Path(tls.directory) / NAME, cls)
        except (OSError, ValueError):
            return cls()

    def keep(self, tls: Tls) -> None:
        """Write it down. Raises OSError."""
        make.write(Path(tls.directory) / NAME, msgspec.json.encode(self), 0o600)

    def hsts_seconds(self, tls: Tls) -> int:
        """What browsers are to be told by now."""
        proven = None if self.well_since is None else max(0.0, time.time() - self.well_since)
        return hsts_seconds(tls.hsts, proven)
