"""A running site, as observers see it: what is in force, which plans are on their way, which processes run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from portico.plan.model import Plan
from portico.protocol import notices

SayNews = Callable[[notices.Notice], None]


class Running(Protocol):
    """`supervisor.effects.Effects` is one. A module that needs more of it says so in a protocol of its own."""

    @property
    def in_force(self) -> Plan:
        """The plan that nginx serves by."""

    @property
    def plans(self) -> Mapping[int, Plan]:
        """By the number of the release: those that serve, are tried, or are kept for a rollback."""

    def pids(self) -> dict[int, int]:
        """The first process of each release, and nginx under 0."""
