"""The gateway as a site sees it: a child of its own, or one that several sites share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Protocol

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.notices import Notice
from portico.protocol.status import Bodies
from portico.run.machine.action import StopMode
from portico.run.machine.event import Event
from portico.run.watchers.runner import Watcher
from portico.values import Address

Tell = Callable[[Event], None]


class Gateway(Protocol):
    """Its outcome is an event: GatewayExited, Drained."""

    @property
    def pid(self) -> int | None:
        """Its master, where there is one."""

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        """What it has against the files in that directory; blocks while it reads them, in any thread."""

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        """Raises PorticoError for each address that it could not begin to listen on."""

    def start(self, plan: Plan) -> None:
        """Serve the files in force."""

    def reload(self, plan: Plan) -> None:
        """Serve the files in force from now on."""

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        """No new request; `sockets` are those of the app, which finishes what it has."""

    def reopen_logs(self) -> None:
        """Go on in new log files: the old ones were renamed."""

    def workers(self) -> frozenset[int]:
        """The pids of its workers, those that are leaving too."""

    def bodies(self, plan: Plan, workers: Iterable[int]) -> Bodies:
        """The bodies that these workers have on disk at this moment; blocks, in any thread."""

    def say_goodbye(self, plan: Plan) -> None:
        """Before it ends, notify the sites behind it, so that WebSockets get Close 1001."""

    def when_used(self, say: Callable[[Notice], None]) -> Callable[[Notice], None]:
        """`say`, but that a release serves is said when no worker has the files of before."""

    def hear(self, item: Notice) -> None:
        """The notices of the site."""

    def watchers(self, in_force: Callable[[], Plan]) -> tuple[Watcher, ...]:
        """What looks after it beside the serving."""

    async def leave(self) -> None:
        """Everything that waits for something is given up."""
