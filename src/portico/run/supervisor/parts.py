"""The parts of a running site, made in the order of their dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portico.errors import Problem
from portico.plan import paths
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.commands import DRAIN, Handler, Who, handled
from portico.run.broadcast import Broadcast
from portico.run.challenge.watcher import Challenges
from portico.run.commands.certificates import Certificates
from portico.run.commands.commands import Commands
from portico.run.commands.releases import Releases
from portico.run.control import server as control
from portico.run.disk import free_space, rotation, runtime
from portico.run.driver import Driver
from portico.run.gateway import goodbye
from portico.run.gateway.build import gateway as gateway_of
from portico.run.machine import State
from portico.run.machine.state import GOODBYE_SECONDS, Status
from portico.run.precompress.watcher import Copies
from portico.run.processes import heap
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets.listening import Listening
from portico.run.supervisor import signals
from portico.run.supervisor.changes import Changes
from portico.run.supervisor.claim import Claim
from portico.run.supervisor.effects import Effects
from portico.run.supervisor.observer import HostHooks, Observer
from portico.run.supervisor.planning import Replan, timeouts
from portico.run.upstream.watcher import Upstreams
from portico.run.watchers import crowd
from portico.run.watchers.runner import Watcher, Watchers

if TYPE_CHECKING:
    from portico.run.tls.material import Material


class Given(NamedTuple):
    """The inputs of a run; the same as the arguments of `loop.run`."""

    plan: Plan
    claim: Claim
    listening: Listening
    material: Material | None
    say: SayNews
    replan: Replan
    beside: Sequence[Watcher]
    host: HostHooks | None
    observer: Observer | None


class Parts:
    """Used in the loop's thread; `leave` removes all of it."""

    def __init__(self, given: Given) -> None:
        plan, host = given.plan, given.host
        self._given = given
        self.driver = Driver(_state(plan, is_host=host is not None))
        self.broadcast = Broadcast(given.say)
        say = self.broadcast.say
        self._processes = Processes(plan.runtime, lambda: self.effects.in_force.ladder.stop_seconds)
        if given.observer is not None:
            self.broadcast.add(given.observer.hear)
        gateway = gateway_of(plan, self._processes, given.listening, self.driver.tell, say)
        self.effects = Effects(
            plan, given.claim.number, gateway, self._processes, tell=self.driver.tell, say=gateway.when_used(say),
            replan=given.replan, material=given.material, aheads=given.claim.aheads,
        )  # fmt: skip
        tell = host.tell if host else self.driver.tell
        signals.listen(tell, self._processes.reap, self.effects.reopen_logs, say)
        self._upstreams = Upstreams(self.effects, say, self._is_serving)
        self._certificates = Certificates(self.effects, say, self._is_serving)
        self._copies = Copies(self.effects, say, self._is_serving)
        self._challenges = Challenges(self.effects, say)
        self._watchers = Watchers(say)
        self._commands = Commands(
            self.driver, self.effects, say, self._upstreams, self._copies, self._certificates, self._watchers
        )
        self.broadcast.add(self._commands.hear)
        self.broadcast.add(gateway.hear)
        self._releases = Releases(
            self.driver, tell, self.effects, self.broadcast, self._commands.scale,
            is_paused=lambda: self._commands.pause.status() is not None,
            changed_on_disk=self._commands.workers.changed_on_disk,
        )  # fmt: skip
        self._endpoints: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    def _is_serving(self) -> bool:
        return self.driver.state.gateway.status is Status.WELL

    async def open(self) -> None:
        """Answer at the control socket, and start the watchers beside the serving."""
        plan, host, observer = self._given.plan, self._given.host, self._given.observer
        known = [
            *self._commands.handlers(), *self._releases.handlers(), handled(DRAIN, self._upstreams.drain),
            *(observer.handlers() if observer else ()),
        ]  # fmt: skip
        for path, handlers, user in self._sockets(known, host):
            self._endpoints.append(await control.listen(path, handlers, user))
        self._given.claim.answers(plan)
        self._tasks = [asyncio.ensure_future(self._watchers.run(work)) for work in self._works()]
        heap.give_back()

    def _sockets(
        self, known: list[Handler], host: HostHooks | None
    ) -> Iterator[tuple[str, Sequence[Handler], str]]:
        """The answers of each, and the user with access besides the owner."""
        plan = self._given.plan
        handlers = host.join(self.driver, self._processes, self.broadcast, known) if host else known
        yield control.path(plan.runtime), handlers, ""
        if user := plan.server.user:
            for_app = [handler for handler in known if handler.command.who is Who.APP]
            yield paths.purge(plan.runtime), for_app, user

    def _works(self) -> Iterator[Watcher]:
        plan, say, observer = self._given.plan, self.broadcast.say, self._given.observer
        effects, commands = self.effects, self._commands
        yield from self._given.beside
        if observer is not None:
            looks = partial(observer.watch, commands.site_status, lambda: effects.in_force, _troubles(say))
            yield Watcher("the requests", looks)
        yield from effects.gateway.watchers(lambda: effects.in_force)
        yield Watcher("the disk", lambda: free_space.watch(plan.state, say))
        yield Watcher("server", self._upstreams.watch)
        yield Watcher("the runtime directory", partial(runtime.watch, plan, self.driver.tell))
        yield Watcher("the count of requests", commands.served.watch)
        yield Watcher("proxies in front", commands.forwarded.watch)
        yield Watcher("the certificate", self._certificates.watch)
        rotates = partial(
            rotation.watch, lambda: effects.in_force, effects.reopen_logs, commands.served.catch_up
        )
        yield Watcher("the log", rotates)
        yield Watcher("the compressed copies", self._copies.watch)
        yield Watcher("the static file", self._copies.look)
        yield Watcher("the cache", commands.purge.watch)
        if plan.development is None:
            yield Watcher("the code of the workers", commands.workers.watch)
        else:
            yield Watcher("the changes", Changes(effects, self.driver.tell, say).watch)
        yield Watcher("the bans", commands.bans.watch)
        yield Watcher("the names of crawlers", commands.crawlers.watch)
        yield Watcher("wrong passwords", commands.guesses.watch)
        yield Watcher("the challenge", self._challenges.watch)
        yield Watcher("the queue", lambda: crowd.watch(lambda: effects.in_force))

    async def leave(self) -> None:
        """Close the sockets and end the remaining processes; a disk error leaves no process behind."""
        runtime = self._given.plan.runtime
        try:
            if self._given.host:
                await self._given.host.leave()
            for endpoint in self._endpoints:
                endpoint.close()
            for path in (control.path(runtime), paths.purge(runtime)):
                Path(path).unlink(missing_ok=True)
            self._commands.pause.resume()
            self._commands.bans.leave()
            self._commands.guesses.leave()
        finally:
            await self.effects.leave()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _state(plan: Plan, *, is_host: bool) -> State:
    return State(
        timeouts(plan),
        plan.gateway.name,
        serves_pages=not plan.has_app,
        goodbye_seconds=goodbye.HEARD_SECONDS if is_host else GOODBYE_SECONDS,
    )


def _troubles(say: SayNews) -> Callable[[Problem], None]:
    return lambda problem: say(notices.Trouble(problem))
