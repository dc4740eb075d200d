"""Many things are looked at now and then; all of them in the same moment, so that an idle site wakes seldom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

Round = Mapping[str, Exception]
"""What failed in one look at many things, by the name of the thing. The others were looked at."""
WELL: Round = {}
Rounds = AsyncGenerator[Round, None]


async def tick(seconds: float) -> None:
    """Wait for the loop's next multiple of `seconds`: for half of it at least, and one and a half at most.

    A watcher that runs twice as often as another meets it every second time.
    """
    rest = seconds - asyncio.get_running_loop().time() % seconds
    await asyncio.sleep(rest if rest > seconds / 2 else rest + seconds)
