"""A watcher that ends by an error is told, started again, and told to be well."""

from __future__ import annotations

import asyncio

import pytest

from portico.errors import PorticoError, Problem
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.run.watchers import failures
from portico.run.watchers.runner import Watcher, Watchers
from portico.ticks import WELL, Rounds


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(failures, "LONGEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(failures, "STEADY_SECONDS", 0.0)


def test_an_error_ends_no_watcher_for_good() -> None:
    said, starts, seen = list[Notice](), 0, list[str]()

    async def rounds() -> Rounds:
        nonlocal starts
        starts += 1
        if starts < 4:
            raise OSError(5, "broken")
        seen.extend(one.name for one in watchers.status())
        yield WELL
        seen.extend(one.name for one in watchers.status())

    watchers = Watchers(said.append)
    asyncio.run(watchers.run(Watcher("the disk", rounds)))
    assert starts == 4
    assert seen == ["the disk"], "shown while it failed, and not any more"
    assert [type(item) for item in said] == [notices.WatcherFailed, notices.WatcherRecovered], (
        "told once, not three times"
    )


def test_one_bad_thing_is_told_by_its_name() -> None:
    said = list[Notice]()

    async def rounds() -> Rounds:
        yield {"b": PorticoError(Problem("/b", "cannot be written", "a hint"))}
        assert [(one.name, one.error, one.next_try) for one in watchers.status()] == [
            ("server b", "/b: cannot be written", None)
        ]
        yield WELL

    watchers = Watchers(said.append)
    asyncio.run(watchers.run(Watcher("server", rounds)))
    assert watchers.status() == ()


def test_who_is_cancelled_is_not_started_again() -> None:
    starts, ends = 0, 0

    async def rounds() -> Rounds:
        nonlocal starts, ends
        starts += 1
        try:
            yield WELL
            await asyncio.sleep(60)
        finally:
            ends += 1

    async def go() -> None:
        task = asyncio.create_task(Watchers(lambda _: None).run(Watcher("the disk", rounds)))
        while not starts:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert (starts, ends) == (1, 1)
