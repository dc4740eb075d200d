"""An observer of a running site is told everything, decides nothing, and may answer at the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.commands import Handler
from portico.protocol.notices import Notice
from portico.protocol.status import SiteStatus
from portico.ticks import Rounds

AskStatus = Callable[[], Awaitable[SiteStatus]]
"""Asks how the processes are: what `portico status` tells."""


class Observer(Protocol):
    def hear(self, item: Notice) -> None:
        """Each notice, as it comes."""

    def handlers(self) -> list[Handler]:
        """What it answers at the control socket."""

    def watch(
        self, ask_status: AskStatus, in_force: Callable[[], Plan], tell: Callable[[Problem], None]
    ) -> Rounds:
        """Look until cancelled; `in_force` is the plan that the site runs by, `tell` takes what people should hear."""
