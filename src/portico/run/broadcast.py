"""Broadcasts notices to the terminal and to every client that follows at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from portico.protocol import notices
from portico.protocol.notices import Notice

Items = asyncio.Queue[Notice]


class Broadcast:
    def __init__(self, say: Callable[[Notice], None]) -> None:
        self._hear = [say]
        self._followers: set[Items] = set()

    def add(self, hear: Callable[[Notice], None]) -> None:
        """Add a listener; it gets each notice after the earlier listeners."""
        self._hear.append(hear)

    def say(self, item: Notice) -> None:
        for hear in self._hear:
            hear(item)
        for follower in self._followers:
            follower.put_nowait(item)

    @contextmanager
    def follow(self) -> Iterator[Items]:
        """All notices from now on."""
        items: Items = asyncio.Queue()
        self._followers.add(items)
        try:
            yield items
        finally:
            self._followers.discard(items)


async def until_reloaded(items: Items) -> AsyncIterator[Notice]:
    """The notices of the next reload, from its begin to its end, successful or not; they also end if the site
    stops.
    """
    number = 0
    while True:
        item = await items.get()
        if isinstance(item, notices.Reloading) and not number:
            number = item.number
        if _is_about(item, number):
            yield item
        if isinstance(item, notices.Stopping | notices.RolledBack) or (number and _ends(item, number)):
            return


async def until_decided(items: Items) -> AsyncIterator[Notice]:
    """The one notice that ends a promotion, an abort or a rollback."""
    while True:
        item = await items.get()
        if isinstance(
            item,
            notices.Switched | notices.CanaryLeft | notices.RolledBack | notices.Refused | notices.Stopping,
        ):
            yield item
            return


async def until_concluded(items: Items, number: int) -> AsyncIterator[Notice]:
    """The notices of the command after a release that serves; they end if the site stops."""
    while True:
        item = await items.get()
        is_end = isinstance(item, notices.Concluded | notices.NotConcluded | notices.ConclusionEnded)
        is_about = is_end or isinstance(item, notices.Concluding | notices.CommandWaits)
        if is_about and getattr(item, "number", 0) == number:
            yield item
            if is_end:
                return
        if isinstance(item, notices.Stopping):
            return


def _is_about(item: Notice, number: int) -> bool:
    if isinstance(item, notices.Stopping | notices.GatewaySaid | notices.CanaryLeft | notices.RolledBack):
        return True
    return getattr(item, "number", 0) == number != 0


def _ends(item: Notice, number: int) -> bool:
    return (
        isinstance(item, notices.Switched | notices.CanaryServes | notices.ReleaseDropped)
        and item.number == number
    )
