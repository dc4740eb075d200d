"""A running site as observers see it: the active plan, the plans of other releases, the processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from portico.plan.model import Plan
from portico.protocol import notices

SayNews = Callable[[notices.Notice], None]


class Running(Protocol):
    """`supervisor.effects.Effects` is one. A module that needs more of it declares its own protocol."""

    @property
    def in_force(self) -> Plan:
        """The plan that the gateway uses."""

    @property
    def plans(self) -> Mapping[int, Plan]:
        """By release number: releases that serve, are being checked, or are kept for a rollback."""

    def pids(self) -> dict[int, int]:
        """The first process of each release, and the gateway under 0."""
