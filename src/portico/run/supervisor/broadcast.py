"""The news board: what is said reaches the people in front, and whoever follows at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from portico.run import news
from portico.run.news import News

Items = asyncio.Queue[News]


class Board:
    def __init__(self, say: Callable[[News], None]) -> None:
        self._say = say
        self._followers: set[Items] = set()

    def say(self, item: News) -> None:
        self._say(item)
        for follower in self._followers:
            follower.put_nowait(item)

    @contextmanager
    def follow(self) -> Iterator[Items]:
        """Everything said from now on."""
        items: Items = asyncio.Queue()
        self._followers.add(items)
        try:
            yield items
        finally:
            self._followers.discard(items)


async def until_reloaded(items: Items) -> AsyncIterator[News]:
    """The news of the next reload that begins, to its end, good or bad; also when the site stops instead."""
    number = 0
    while True:
        item = await items.get()
        if isinstance(item, news.Reloading) and not number:
            number = item.number
        if _is_about(item, number):
            yield item
        if isinstance(item, news.Stopping | news.RolledBack) or (number and _ends(item, number)):
            return


async def until_decided(items: Items) -> AsyncIterator[News]:
    """The one piece of news that a promotion, an abortion or a rollback ends with."""
    while True:
        item = await items.get()
        if isinstance(item, news.Switched | news.CanaryLeft | news.RolledBack | news.Refused | news.Stopping):
            yield item
            return


def _is_about(item: News, number: int) -> bool:
    if isinstance(item, news.Stopping | news.NginxSaid | news.CanaryLeft | news.RolledBack):
        return True
    return getattr(item, "number", 0) == number != 0


def _ends(item: News, number: int) -> bool:
    return (
        isinstance(item, news.Switched | news.CanaryServes | news.GenerationDropped) and item.number == number
    )
