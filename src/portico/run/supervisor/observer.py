"""An observer of a running site is told everything, decides nothing, and may answer at the control socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.notices import Notice
from portico.ticks import Rounds

AskStatus = Callable[[], Awaitable[dict[str, Any]]]
"""Asks how the processes are: what `portico status` tells."""
Give = Callable[[Mapping[str, str]], AsyncGenerator[object, None]]


class Observer(Protocol):
    def hear(self, item: Notice) -> None:
        """Each notice, as it comes."""

    def answers(self) -> Mapping[str, tuple[Give, tuple[str, ...]]]:
        """What answers to which method and path, and the parameters that it knows."""

    def watch(
        self, ask_status: AskStatus, in_force: Callable[[], Plan], tell: Callable[[Problem], None]
    ) -> Rounds:
        """Look until cancelled; `in_force` is the plan that the site runs by, `tell` takes what people should hear."""
