"""Periodic checks, all at the same moment, so that an idle site wakes rarely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

Round = Mapping[str, Exception]
"""The failures of one round of checks, by name. The other checks were done."""
WELL: Round = {}
Rounds = AsyncGenerator[Round, None]


async def tick(seconds: float) -> None:
    """Waits for the loop's next multiple of `seconds`: for at least half of it, and at most one and a half.

    A check with half the period of another coincides with every other run of its own.
    """
    rest = seconds - asyncio.get_running_loop().time() % seconds
    await asyncio.sleep(rest if rest > seconds / 2 else rest + seconds)
