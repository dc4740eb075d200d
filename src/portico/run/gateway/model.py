"""The gateway as a site sees it: its own child process, or a gateway shared with other sites."""

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
    """The outcomes are events: GatewayExited, Drained."""

    @property
    def pid(self) -> int | None:
        """The pid of its master, if there is one."""

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        """Its errors about the files in that directory; blocks while it reads them, in any thread."""

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        """Raises PorticoError for each address that it cannot listen on."""

    def start(self, plan: Plan) -> None:
        """Start with the active files."""

    def reload(self, plan: Plan) -> None:
        """Switch to the active files."""

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        """Accept no new requests; `sockets` are the app's, which finishes its requests."""

    def reopen_logs(self) -> None:
        """Open new log files: the old ones were renamed."""

    def workers(self) -> frozenset[int]:
        """The pids of its workers, including those that are leaving."""

    def bodies(self, plan: Plan, workers: Iterable[int]) -> Bodies:
        """The bodies that these workers have on disk at this moment; blocks, in any thread."""

    def say_goodbye(self, plan: Plan) -> None:
        """Notify the sites behind it before it ends, so that WebSockets get Close 1001."""

    def when_used(self, say: Callable[[Notice], None]) -> Callable[[Notice], None]:
        """The same as `say`, but reports that a release serves only after no worker uses the old files."""

    def hear(self, item: Notice) -> None:
        """Gets the notices of the site."""

    def watchers(self, in_force: Callable[[], Plan]) -> tuple[Watcher, ...]:
        """The watchers of the gateway, beside the serving."""

    async def leave(self) -> None:
        """Cancel everything that waits."""
