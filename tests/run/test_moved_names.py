"""Histories of look-ups in, when the gateway is to look again."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from portico.run.upstream.names import Addresses, LookUps, Names, seen
from tests.support.until import until

NOBODY = frozenset[str]()


def found(**addresses: str) -> Addresses:
    return {name: frozenset(text.split()) for name, text in addresses.items()}


def test_a_name_that_leads_elsewhere_has_moved_and_one_that_is_new_or_unknown_has_not() -> None:
    names, moved = seen(Names(), found(a="1 2", b="3"), 0.0)
    assert moved == NOBODY
    names, moved = seen(names, found(a="2 1", b="3", c="9"), 1.0)
    assert moved == NOBODY
    names, moved = seen(names, found(a="1 2 4"), 2.0)  # b cannot be resolved now
    assert moved == {"a"}
    names, moved = seen(names, found(a="1 2 4", b="5"), 100.0)
    assert moved == {"b"}


def test_a_move_soon_after_another_waits_and_is_not_forgotten() -> None:
    names, _ = seen(Names(), found(a="1"), 0.0)
    names, moved = seen(names, found(a="2"), 1.0)
    assert moved == {"a"}
    names, moved = seen(names, found(a="3"), 5.0)
    assert moved == NOBODY
    names, moved = seen(names, found(a="3"), 11.0)
    assert moved == {"a"}


def test_a_name_that_changes_all_the_time_costs_few_reloads() -> None:
    names, reloads = Names(), 0
    for second in range(0, 24 * 3600, 2):
        names, moved = seen(names, found(a=str(second)), float(second))
        reloads += bool(moved)
    assert reloads < 24 * 3600 / 300


def test_names_are_looked_up_as_the_system_does() -> None:
    names = ["127.0.0.1", "nobody.invalid", "x" * 70]
    assert asyncio.run(LookUps().of_all(names)) == {"127.0.0.1": {"127.0.0.1"}}


def test_a_name_server_that_hangs_costs_one_thread_for_each_name_and_keeps_no_other_name_waiting() -> None:
    answers, asked = threading.Event(), list[str]()

    def resolve(name: str) -> list[str]:
        asked.append(name)
        return ["10.0.0.1"] if name == "good" or answers.wait(60) else []

    async def checks() -> None:
        look_ups = LookUps(resolve)
        for _ in range(5):
            with pytest.raises(socket.gaierror):
                await look_ups.of("hangs", 0.01)
        until(lambda: asked)  # its thread may get no processor for so long
        assert asked == ["hangs"]
        assert (await look_ups.of("good", 60)) == ["10.0.0.1"]
        answers.set()
        assert (await look_ups.of("hangs", 60)) == ["10.0.0.1"]
        assert (await look_ups.of("hangs", 60)) == ["10.0.0.1"]
        assert 2 <= asked.count("hangs") <= 3

    asyncio.run(checks())
