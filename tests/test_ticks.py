"""Who looks now and then wakes with the others."""

from __future__ import annotations

import asyncio

from portico.ticks import tick

SECONDS = 0.2


def test_all_wake_at_a_multiple_and_none_at_once() -> None:
    async def one(begin: float) -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begin)
        began = loop.time()
        await tick(SECONDS)
        return loop.time() - began, loop.time()

    async def many() -> list[tuple[float, float]]:
        return await asyncio.gather(*(one(number * SECONDS / 5) for number in range(5)))

    for waited, woke in asyncio.run(many()):
        assert waited >= SECONDS / 2 - 0.001
        assert (woke + 0.001) // SECONDS > (woke - waited) // SECONDS, "a multiple lies between"
