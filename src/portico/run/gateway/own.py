"""A site's own gateway: a child process, with listening sockets that Portico keeps."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.status import Bodies
from portico.run.background import guarded
from portico.run.gateway import files, goodbye, old
from portico.run.gateway.connections import close_clients
from portico.run.gateway.model import Tell
from portico.run.gateway.program import Program
from portico.run.gateway.workers import SERVES, accepting, until_replaced, workers
from portico.run.machine import event as was
from portico.run.machine.action import StopMode
from portico.run.processes import proc
from portico.run.processes.child import Child
from portico.run.processes.stderr import Lines
from portico.run.processes.table import Processes
from portico.run.sockets import drain, ports
from portico.run.sockets.listening import Listening
from portico.run.undone import failure
from portico.run.watchers.runner import Watcher
from portico.values import Address

_LOOK_SECONDS = 0.05


class OwnGateway:
    """One such program at a time."""

    def __init__(
        self,
        program: Program,
        processes: Processes,
        listening: Listening,
        tell: Tell,
        say: Callable[[notices.Notice], None],
    ) -> None:
        self._program = program
        self._processes, self._listening, self._tell = processes, listening, tell
        self._say = say
        self._child: Child | None = None
        self._words = Lines(
            lambda line: None if program.is_noise(line) else say(notices.GatewaySaid(line, program.name))
        )
        self._work: set[asyncio.Task[None]] = set()
        self._replaced: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def objections(self, plan: Plan, where: Path) -> tuple[Problem, ...]:
        return files.tested(plan, where)

    def refuse_addresses(self, old: Plan, addresses: Collection[Address]) -> None:
        ports.check([address for address in addresses if address not in old.listens], old.binary)

    def start(self, plan: Plan) -> None:
        self._child = None
        files.remove_routed(plan)
        passed, variables = self._passed()
        started = self._processes.start(
            plan.gateway.name,
            plan.gateway.at(str(files.link(plan.runtime))),
            self._ended,
            cwd=plan.gateway.cwd,
            env={**plan.gateway.env, **variables},
            signals=self._program.ends,
            keeps=passed,
            reads_stderr=True,
        )
        try:
            self._words.follow(started.stderr)
        except BaseException:
            started.end(StopMode.KILL)
            raise
        self._child = started
        self._beside(self._listening.complete(plan.listens, started.pid))

    def _passed(self) -> tuple[tuple[int, ...], Mapping[str, str]]:
        """The sockets that it inherits, and the variables that name them."""
        if self._program.inherits is None:
            self._listening.release()
            return (), {}
        passed = self._listening.descriptors()
        return passed, self._program.inherits(passed)

    def reload(self, plan: Plan) -> None:
        self._listening.leave(plan.listens)
        if self._child is not None:
            before = accepting(self._program, self._child.pid)
            self._signal(self._child, self._program.reload)
            self._replaced = self._beside(until_replaced(self._program, before))
            self._beside(self._listening.complete(plan.listens, self._child.pid))

    def end(self, plan: Plan, mode: StopMode, sockets: list[str]) -> None:
        if mode is StopMode.DRAIN and self._child is not None and self._child.code is None:
            self._leaving = self._beside(self._drain(plan, self._child, sockets))
            return
        is_early = self._leaving is not None and not self._listening.is_closed
        if is_early and self._leaving is not None:
            self._leaving.cancel()
        self._listening.close()
        if self._child is None:
            return
        if mode is not StopMode.CLOSE:
            self._child.end(mode)
            return
        if is_early:
            self._child.end(StopMode.DRAIN)
        self._close_clients(plan)

    async def _drain(self, plan: Plan, child: Child, sockets: list[str]) -> None:
        """The gateway must answer connections that the kernel has accepted: closing the socket would reset them."""
        await self._listening.until_taken()
        self._listening.close()
        child.end(StopMode.DRAIN)
        if child.code is None:
            await self._tell_when_quiet(plan, child.pid, sockets)

    def _close_clients(self, plan: Plan) -> None:
        """Its workers, including old ones, are shutting down: they exit once they have no connections."""
        assert self._child is not None
        ports = {address.port for address in plan.listens}
        is_done = [close_clients(pid, ports) for pid in workers(self._child.pid)]
        if not all(is_done) and self._child.code is None:
            self._child.end(StopMode.HURRY)

    def reopen_logs(self) -> None:
        if self._child is not None:
            self._signal(self._child, self._program.reopen)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        """Send a signal once the program handles it: earlier it would end the program, or be lost."""
        if _hears(child, number):
            child.send(number)
        else:
            self._beside(_signal_later(child, number))

    def bodies(self, plan: Plan, workers: Iterable[int]) -> Bodies:
        return self._program.bodies(workers, plan)

    def say_goodbye(self, plan: Plan) -> None:
        goodbye.tell(plan.sites, self.workers())

    def watchers(self, in_force: Callable[[], Plan]) -> tuple[Watcher, ...]:
        rounds = partial(old.watch, self._program, in_force, lambda: self.pid, self._say)
        return (Watcher(f"{self._program.name}'s old workers", rounds),)

    def hear(self, item: notices.Notice) -> None:
        """Observers of the gateway add nothing here."""

    def workers(self) -> frozenset[int]:
        return frozenset() if self._child is None else workers(self._child.pid)

    async def leave(self) -> None:
        self._child = None
        for task in self._work:
            task.cancel()
        self._listening.give_up()

    async def _tell_when_quiet(self, plan: Plan, pid: int, sockets: list[str]) -> None:
        asks_others = plan.upstream is not None or bool(plan.sites)
        ports = frozenset(address.port for address in plan.listens)
        sockets += [path for path in plan.upstream_sockets if path not in sockets]

        def is_busy() -> bool:
            asks_sites = bool(plan.sites) and drain.has_requests(plan.sites)
            return asks_sites or (asks_others and drain.has_asked(pid, ports))

        await drain.until_drained(pid, sockets, is_busy)
        self._tell(was.Drained())

    def _ended(self, group: Child) -> None:
        assert group.code is not None
        if group is not self._child:
            return
        event = was.GatewayExited(group.code, self._words.last())
        left = frozenset() if self._program.inherits else accepting(self._program, group.pid)
        if left:
            self._beside(self._tell_when_closed(group, left, event))
        else:
            self._tell(event)

    async def _tell_when_closed(self, group: Child, left: frozenset[int], event: was.GatewayExited) -> None:
        """The orphans of a program that opens its sockets itself keep the port: no other one can start meanwhile."""
        await until_replaced(self._program, left)
        if any(map(self._program.accepts, left)):
            group.end(StopMode.KILL)
        self._tell(event)

    def when_used(self, say: Callable[[notices.Notice], None]) -> Callable[[notices.Notice], None]:
        """Reports that a release serves only after no worker with the old files accepts connections."""

        def tell(item: notices.Notice) -> None:
            replaced = self._replaced

            async def later() -> None:
                if replaced is not None:
                    await asyncio.wait([replaced])
                say(item)

            if isinstance(item, SERVES) and replaced is not None and not replaced.done():
                self._beside(later())
            else:
                say(item)

        return tell

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # None of it is awaited: a stop that cannot detect the end of all requests has its timeout.
        task = asyncio.get_running_loop().create_task(guarded(work, self._complain))
        self._work.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._work.discard)
        return task

    def _complain(self, error: Exception) -> None:
        self._say(notices.Trouble(failure(f"{self._program.name}'s workers cannot be watched", error)))


async def _signal_later(child: Child, number: signal.Signals) -> None:
    while child.code is None and not _hears(child, number):
        await asyncio.sleep(_LOOK_SECONDS)
    child.send(number)


def _hears(child: Child, number: signal.Signals) -> bool:
    """The gateway installs its signal handlers first, and acts on signals once it has workers."""
    return proc.catches(child.pid, number) and bool(proc.forked_by(child.pid))
