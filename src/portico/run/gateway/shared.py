"""A gateway shared by several sites, used over its control socket.

A site's supervisor tells it where the files are; the gateway decides whether they fit beside those of the other
sites, and when it reads them (`run.host`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from portico.errors import PorticoError, Problem
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.answers import Verdict
from portico.protocol.commands import LEAVE, READY, TRY, USE, Command, FilesOfSite, OfSite
from portico.protocol.status import Bodies
from portico.run.background import guarded, in_background
from portico.run.control import client
from portico.run.gateway import files
from portico.run.gateway.model import Tell
from portico.run.gateway.program import Program
from portico.run.gateway.workers import SERVES, workers
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import StopMode
from portico.run.sockets import drain
from portico.run.undone import failure, undone
from portico.run.watchers.runner import Watcher
from portico.values import Address


class SharedGateway:
    """The gateway in the runtime directory `plan.shared`, as one of its sites sees it."""

    def __init__(
        self, program: Program, plan: Plan, tell: Tell, say: Callable[[notices.Notice], None]
    ) -> None:
        self._program = program
        self._gateway, self._name = plan.shared, plan.name
        self._tell, self._say = tell, say
        self._work: set[asyncio.Task[None]] = set()
        self._last: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._program.master(self._gateway)

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        del plan
        return self._ask(TRY, FilesOfSite(self._name, str(where)))

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        """No check here: the gateway checks the files when it gets them."""

    def start(self, plan: Plan) -> None:
        self._use(plan, lambda problems: self._tell(was.GatewayExited(1, "\n".join(map(str, problems)))))

    def reload(self, plan: Plan) -> None:
        self._use(plan, self._complain)

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        del plan
        if mode is not StopMode.DRAIN:
            self._tell(was.GatewayExited(0))
            return

        async def leave() -> None:
            await in_background(lambda: self._ask(LEAVE, OfSite(self._name)))
            for path in sockets:
                await drain.until_read(path)
            self._tell(was.GatewayExited(0))

        def failed(error: Exception) -> None:
            self._complain((undone(do.EndGateway(mode), error, self._program.name, self._gateway),))
            self._tell(was.GatewayExited(0))

        self._in_turn(leave(), failed)

    def reopen_logs(self) -> None:
        if pid := self.pid:
            with suppress(ProcessLookupError):  # it has exited, and the next one opens new files anyway
                os.kill(pid, self._program.reopen)

    def bodies(self, plan: Plan, workers: Iterable[int]) -> Bodies:
        return self._program.bodies(workers, plan)

    def say_goodbye(self, plan: Plan) -> None:
        """Its workers are not ended for one site."""
        del plan

    def watchers(self, in_force: Callable[[], Plan]) -> tuple[Watcher, ...]:
        """None: the gateway watches shared parts itself."""
        del in_force
        return ()

    def workers(self) -> frozenset[int]:
        pid = self.pid
        return frozenset() if pid is None else workers(pid)

    async def leave(self) -> None:
        for task in self._work:
            task.cancel()

    def hear(self, item: notices.Notice) -> None:
        """Tells the gateway when this site serves."""
        if isinstance(item, notices.Ready):
            self._in_turn(self._tell_ready())

    def when_used(self, say: Callable[[notices.Notice], None]) -> Callable[[notices.Notice], None]:
        """Reports that a release serves once the gateway has its files: a listener may try a new domain."""

        def tell(item: notices.Notice) -> None:
            async def later() -> None:
                say(item)

            if isinstance(item, SERVES) and self._is_busy:
                self._in_turn(later())
            else:
                say(item)

        return tell

    @property
    def _is_busy(self) -> bool:
        return self._last is not None and not self._last.done()

    async def _tell_ready(self) -> None:
        await in_background(lambda: self._ask(READY, OfSite(self._name)))

    def _use(self, plan: Plan, refused: Callable[[tuple[Problem, ...]], None]) -> None:
        where = str(files.link(plan.runtime).resolve())

        async def use() -> None:
            if problems := await in_background(lambda: self._ask(USE, FilesOfSite(self._name, where))):
                refused(problems)

        self._in_turn(
            use(),
            lambda error: refused((undone(do.ReloadGateway(), error, self._program.name, self._gateway),)),
        )

    def _complain(self, problems: tuple[Problem, ...]) -> None:
        for problem in problems:
            self._say(notices.Trouble(problem))

    def _fails(self, error: Exception) -> None:
        self._complain((failure("the gateway cannot be asked", error, self._gateway),))

    def _ask(self, command: Command[Any, Verdict], args: OfSite | FilesOfSite) -> tuple[Problem, ...]:
        """The gateway's errors; also that it cannot be reached."""
        try:
            return tuple(
                problem for answer in client.ask(self._gateway, command, args) for problem in answer.problems
            )
        except PorticoError as error:
            return error.problems

    def _in_turn(
        self, work: Coroutine[Any, Any, None], failed: Callable[[Exception], None] | None = None
    ) -> None:
        """One question after the other: the files that were named last are the active ones."""
        before = self._last

        async def go() -> None:
            if before is not None:
                await asyncio.wait([before])
            await guarded(work, failed or self._fails)

        task = self._last = asyncio.get_running_loop().create_task(go())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
