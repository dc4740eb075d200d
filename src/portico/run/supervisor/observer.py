"""Other participants in a running site: an observer, which makes no decisions, and the host of several sites."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.commands import Handler
from portico.protocol.notices import Notice
from portico.protocol.status import SiteStatus
from portico.run.broadcast import Broadcast
from portico.run.driver import Driver
from portico.run.machine.event import Event
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets.systemd import Service
from portico.ticks import Rounds

AskStatus = Callable[[], Awaitable[SiteStatus]]
"""Queries the state of the processes, for `portico status`."""


class Observer(Protocol):
    """Gets all notices, makes no decisions, and may answer at the control socket."""

    def hear(self, item: Notice) -> None:
        """Gets each notice as it comes."""

    def handlers(self) -> list[Handler]:
        """Its answers at the control socket."""

    def watch(
        self, ask_status: AskStatus, in_force: Callable[[], Plan], tell: Callable[[Problem], None]
    ) -> Rounds:
        """Watch until cancelled; `in_force` returns the active plan, `tell` takes notices for people."""


class HostHooks(Protocol):
    """The host of a run with more than one site: the sites of a gateway."""

    def settle(self, plan: Plan, service: Service) -> Plan:
        """Called with the runtime directory locked, before anything runs: the plan to run. Raises PorticoError."""

    def hears(self, say: SayNews) -> SayNews:
        """Gets the notices in place of `say`."""

    def join(
        self,
        driver: Driver,
        processes: Processes,
        broadcast: Broadcast,
        handlers: Sequence[Handler],
    ) -> list[Handler]:
        """Called when the loop runs; returns the answers of the control socket."""

    def tell(self, event: Event) -> None:
        """Gets the events of signals and commands, in place of the driver's `tell`."""

    def watch(self) -> Rounds:
        """Runs beside the serving."""

    async def leave(self) -> None:
        """Called once the gateway has exited."""
