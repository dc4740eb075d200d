"""A full disk is said once, and once more when it has room again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.run.disk import free_space
from tests.support import run_out


def test_full_disk_is_said_once_and_its_recovery_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_space, "LOOK_SECONDS", 0.001)
    looks: Iterator[bool] = iter((True, False, False, False, True, True, False))
    said: list[Notice] = []
    with pytest.raises(RuntimeError):  # the looks are at their end
        asyncio.run(run_out(free_space.watch("/state", said.append, lambda _: next(looks))))
    full, back = notices.DiskFull("/state"), notices.DiskBack("/state")
    assert said == [full, back, full]


def test_this_disk_has_room() -> None:
    assert free_space.has_room("/")
    assert free_space.full(["/", "/nowhere"]) == []
