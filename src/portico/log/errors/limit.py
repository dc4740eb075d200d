"""A line of a gateway's error log about a limit: whom it refused, or would have refused."""

from __future__ import annotations

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """`at` is its Unix time. What the client chose stands behind what is read here."""

    at: float
    zone: str
    client: str
    is_dry_run: bool
