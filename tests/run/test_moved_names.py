"""Histories of look-ups in, when the gateway is to look again."""

from __future__ import annotations

from portico.run.upstream.names import Addresses, Names, look_up, seen

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
    assert look_up(["127.0.0.1", "nobody.invalid", "x" * 70]) == {"127.0.0.1": {"127.0.0.1"}}
