"""A gateway that another Portico runs, in another container: it opens the app's socket, and nothing else is shared.

Nobody here can ask it, tell it or end it. It finds the app by the live path, so a stop begins with taking that away:
new requests are then refused at once, and the app finishes those that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.notices import Notice
from portico.protocol.status import Bodies
from portico.run.gateway.model import Tell
from portico.run.machine import event as was
from portico.run.machine.action import StopMode
from portico.run.sockets import drain, switch
from portico.run.watchers.runner import Watcher
from portico.values import Address


class GatewayElsewhere:
    """As the site sees it."""

    pid: int | None = None

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._leaving: asyncio.Task[None] | None = None

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        """None: it reads no file of the site."""
        del plan, where
        return ()

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        """The site has no address."""

    def start(self, plan: Plan) -> None:
        """It runs, or will; the site does not wait for it."""

    def reload(self, plan: Plan) -> None:
        """A release is found by its live path."""

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        switch.take_down(plan)
        if mode is not StopMode.DRAIN:
            self._tell(was.GatewayExited(0))
            return

        async def leave() -> None:
            for path in sockets:
                await drain.until_read(path)
            self._tell(was.GatewayExited(0))

        self._leaving = asyncio.get_running_loop().create_task(leave())

    def reopen_logs(self) -> None:
        """Its log is elsewhere."""

    def workers(self) -> frozenset[int]:
        return frozenset()

    def bodies(self, plan: Plan, workers: Iterable[int]) -> Bodies:
        del plan, workers
        return Bodies()

    def say_goodbye(self, plan: Plan) -> None:
        """The app's own workers close WebSockets when they end."""

    def when_used(self, say: Callable[[Notice], None]) -> Callable[[Notice], None]:
        return say

    def hear(self, item: Notice) -> None:
        """Nobody to tell."""

    def watchers(self, in_force: Callable[[], Plan]) -> tuple[Watcher, ...]:
        del in_force
        return ()

    async def leave(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
