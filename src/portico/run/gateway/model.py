"""nginx as a site sees it: a child of its own, or one that several sites share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from portico.errors import Problem
from portico.plan.model import Plan
from portico.run.machine.action import StopMode
from portico.run.machine.event import Event
from portico.values import Address

Tell = Callable[[Event], None]


class Gateway(Protocol):
    """What comes of it is told as an event: GatewayExited, Drained."""

    @property
    def pid(self) -> int | None:
        """nginx's master, where there is one."""

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        """What nginx has against the files in that directory; blocks while it reads them, in any thread."""

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        """Raises PorticoError for each address that nginx could not begin to listen on."""

    def start(self, plan: Plan) -> None:
        """Serve the files in force."""

    def reload(self, plan: Plan) -> None:
        """Serve the files in force from now on."""

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        """No new request; `sockets` are those of the app, which finishes what it has."""

    def workers(self) -> frozenset[int]:
        """The pids of nginx's workers, those that are leaving too."""

    async def leave(self) -> None:
        """Everything that waits for something is given up."""
