"""Who else has to do with a running site: an observer, which decides nothing, and the host of several sites."""

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
"""Asks how the processes are: what `portico status` tells."""


class Observer(Protocol):
    """Is told everything, decides nothing, and may answer at the control socket."""

    def hear(self, item: Notice) -> None:
        """Each notice, as it comes."""

    def handlers(self) -> list[Handler]:
        """What it answers at the control socket."""

    def watch(
        self, ask_status: AskStatus, in_force: Callable[[], Plan], tell: Callable[[Problem], None]
    ) -> Rounds:
        """Look until cancelled; `in_force` is the plan that the site runs by, `tell` takes what people should hear."""


class HostHooks(Protocol):
    """What a run is given that has more to look after than one site: the sites of a gateway."""

    def settle(self, plan: Plan, service: Service) -> Plan:
        """Nothing runs yet, the runtime directory is ours: the plan that can be made so. Raises PorticoError."""

    def hears(self, say: SayNews) -> SayNews:
        """Gets the notices in place of `say`."""

    def join(
        self,
        driver: Driver,
        processes: Processes,
        broadcast: Broadcast,
        handlers: Sequence[Handler],
    ) -> list[Handler]:
        """The loop runs; what the control socket answers to."""

    def tell(self, event: Event) -> None:
        """What signals and commands say, in the place of the driver's `tell`."""

    def watch(self) -> Rounds:
        """Beside the serving."""

    async def leave(self) -> None:
        """nginx has left."""
