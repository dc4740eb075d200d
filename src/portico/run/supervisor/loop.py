"""Make a plan so, in the foreground, and keep it so: the world becomes events, actions are performed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from portico.errors import (
    FAILED,
    IMPORT_FAILED,
    UNHEALTHY,
    ImportFailedError,
    PorticoError,
    Problem,
    UnhealthyError,
)
from portico.plan import paths
from portico.plan.model import Plan
from portico.protocol import notices
from portico.protocol.commands import DRAIN, Handler, Who, handled
from portico.run.broadcast import Broadcast
from portico.run.commands.certificates import Certificates
from portico.run.commands.commands import Commands
from portico.run.commands.releases import Releases
from portico.run.control import server as control
from portico.run.disk import directories, rotation, runtime
from portico.run.disk import full as disk
from portico.run.driver import Driver
from portico.run.gateway import files, goodbye, old
from portico.run.gateway.own import OwnNginx
from portico.run.gateway.shared import SharedNginx
from portico.run.machine import Timeouts
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.machine.state import GOODBYE_SECONDS, Status
from portico.run.precompress.watcher import Copies
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets.listening import Listening
from portico.run.sockets.systemd import Service
from portico.run.supervisor import signals
from portico.run.supervisor.claim import Claim, claimed
from portico.run.supervisor.effects import Effects, Replan
from portico.run.supervisor.observer import Observer
from portico.run.upstream.watcher import Upstreams, without_app
from portico.run.watchers.runner import Watcher, Watchers
from portico.ticks import Rounds

if TYPE_CHECKING:
    from portico.run.tls.material import Material

_ERRORS = {FAILED: PorticoError, UNHEALTHY: UnhealthyError, IMPORT_FAILED: ImportFailedError}


class HostHooks(Protocol):
    """What a run is given that has more to look after than one site: the sites of a gateway."""

    def settle(self, plan: Plan, service: Service) -> Plan:
        """Nothing runs yet, the runtime directory is ours: the plan that can be made so. Raises PorticoError."""

    def hears(self, say: SayNews) -> SayNews:
        """Who is told the notices, in the place of `say`."""

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


def run(
    plan: Plan,
    *,
    say: SayNews,
    replan: Replan | None = None,
    beside: Sequence[Watcher] = (),
    host: HostHooks | None = None,
    observer: Observer | None = None,
    claim: Claim | None = None,
) -> int:
    """Serve the plan until told to stop; SIGTERM and SIGINT stop, a second one hurries, SIGHUP reloads.

    `say` hears the notices, from this thread. `replan` is called in another one for each reload with the directory
    of the code ("" for where it was), the plan in force and who begins on a draft of the plan. It returns the plan of
    the next release or raises PorticoError; without it, a reload serves new code under the same plan. `beside` is
    started with the serving and cancelled when that has ended; so is the `observer`, which is told everything and adds
    its own answers to those of the control socket. `claim` is the runtime directory when it is held already.
    Returns the exit code, 128 + n after signal n. Raises PorticoError when it cannot start; nothing is left
    running then. Must be called from the main thread.
    """
    with _claimed(plan, claim) as claim:
        service = claim.service
        plan = host.settle(plan, service) if host else plan
        material = _material(plan)
        listening, unwanted = _listening(plan, service)
        with closing(listening):
            tell = _both(say, service.hear)
            tell = host.hears(tell) if host else tell
            for problem in unwanted:
                tell(notices.Trouble(problem))
            works = (*beside, Watcher("the service manager", service.keep_alive))
            works += (Watcher("the sites", host.watch),) if host else ()
            end = asyncio.run(
                _serve(
                    plan,
                    claim,
                    listening,
                    tell,
                    replan or (lambda _, old, __: old),
                    works,
                    host,
                    material,
                    observer,
                )
            )
        if end.problems:  # the files stay: people look at what was in force
            problems = end.problems if plan.has_app else map(without_app, end.problems)
            raise _ERRORS.get(end.code, PorticoError)(*problems)
        with suppress(OSError):  # it has stopped well, and the next start removes them
            files.remove(plan.runtime)
    return end.code


@contextmanager
def _claimed(plan: Plan, claim: Claim | None) -> Iterator[Claim]:
    """The runtime directory, which may be held already; then the plan may want more directories than were known."""
    if claim is None:
        with claimed(plan) as claim:
            yield claim
    else:
        directories.make(plan)
        yield claim


def _listening(plan: Plan, service: Service) -> tuple[Listening, list[Problem]]:
    """The sockets clients connect to; a site that shares a gateway's nginx has none."""
    if plan.shared:
        return Listening({}, service, is_handed_over=False), []
    return Listening.open(plan, service)


def _old_workers(plan: Plan, effects: Effects, say: SayNews) -> tuple[Watcher, ...]:
    """An nginx that is shared is its gateway's to look after."""
    if plan.shared:
        return ()
    rounds = partial(old.watch, lambda: effects.in_force, lambda: effects.gateway.pid, say)
    return (Watcher("nginx's old workers", rounds),)


def _troubles(say: SayNews) -> Callable[[Problem], None]:
    return lambda problem: say(notices.Trouble(problem))


def _material(plan: Plan) -> Material | None:
    """What HTTPS begins with. Raises PorticoError when there is nothing to serve with."""
    if plan.tls is None:
        return None
    from portico.run.tls.material import choose  # 60 ms that only HTTPS costs

    return choose(plan)


def _both(say: SayNews, hear: SayNews) -> SayNews:
    def tell(item: notices.Notice) -> None:
        say(item)
        hear(item)

    return tell


async def _serve(
    plan: Plan,
    claim: Claim,
    listening: Listening,
    say: SayNews,
    replan: Replan,
    beside: Sequence[Watcher],
    host: HostHooks | None,
    material: Material | None,
    observer: Observer | None,
) -> do.Exit:
    driver = Driver(
        Timeouts(
            plan.health.start_seconds,
            plan.ladder.stop_seconds,
            plan.standby_seconds,
            serves_pages=not plan.has_app and plan.upstream is not None,
            goodbye_seconds=goodbye.HEARD_SECONDS if host else GOODBYE_SECONDS,
        )
    )
    if observer is not None:
        say = _both(say, observer.hear)
    broadcast = Broadcast(_both(say, lambda item: hear(item)))  # which is known a few lines below
    processes = Processes(plan.runtime, lambda: effects.in_force.ladder.stop_seconds)
    shared = SharedNginx(plan, driver.tell, broadcast.say) if plan.shared else None
    gateway = shared or OwnNginx(processes, listening, driver.tell, broadcast.say)
    say_in_turn = gateway.when_used(broadcast.say)
    effects = Effects(
        plan,
        claim.number,
        gateway,
        processes,
        tell=driver.tell,
        say=say_in_turn,
        replan=replan,
        material=material,
        aheads=claim.aheads,
    )
    tell = host.tell if host else driver.tell
    signals.listen(tell, processes.reap, effects.reopen_logs, broadcast.say)
    upstreams = Upstreams(effects, broadcast.say, lambda: driver.state.gateway.status is Status.WELL)
    certificates = Certificates(effects, broadcast.say, lambda: driver.state.gateway.status is Status.WELL)
    copies = Copies(effects, broadcast.say, lambda: driver.state.gateway.status is Status.WELL)
    watchers = Watchers(broadcast.say)
    commands = Commands(driver, effects, broadcast.say, upstreams, copies, certificates, watchers)
    hear = _both(commands.hear, shared.hear) if shared else commands.hear
    releases = Releases(
        driver, tell, effects, broadcast, commands.scale,
        is_paused=lambda: commands.pause.status() is not None,
        changed_on_disk=commands.workers.changed_on_disk,
    )  # fmt: skip
    known = [*commands.handlers(), *releases.handlers(), handled(DRAIN, upstreams.drain)]
    if observer is not None:
        known += observer.handlers()
        looks = partial(
            observer.watch, commands.site_status, lambda: effects.in_force, _troubles(broadcast.say)
        )
        beside = (*beside, Watcher("the requests", looks))
    handlers = host.join(driver, processes, broadcast, known) if host else known
    endpoints = [await control.listen(control.path(plan.runtime), handlers)]
    if user := plan.server.user:
        for_app = [handler for handler in known if handler.command.who is Who.APP]
        endpoints.append(await control.listen(paths.purge(plan.runtime), for_app, user))
    claim.answers(plan)
    works = (
        *beside,
        Watcher("the disk", lambda: disk.watch(plan.state, broadcast.say)),
        *_old_workers(plan, effects, broadcast.say),
        Watcher("server", upstreams.watch),
        Watcher("the runtime directory", partial(runtime.watch, plan, driver.tell)),
        Watcher("the count of requests", commands.served.watch),
        Watcher("proxies in front", commands.forwarded.watch),
        Watcher("the certificate", certificates.watch),
        Watcher(
            "the log",
            partial(rotation.watch, lambda: effects.in_force, effects.reopen_logs, commands.served.catch_up),
        ),
        Watcher("the compressed copies", copies.watch),
        Watcher("the static file", copies.look),
        Watcher("the cache", commands.purge.watch),
        Watcher("the code of the workers", commands.workers.watch),
    )
    tasks = [asyncio.ensure_future(watchers.run(work)) for work in works]
    try:
        return await driver.run(effects.perform, was.Begin(claim.number, listening.is_handed_over))
    finally:
        try:
            if host:
                await host.leave()
            for endpoint in endpoints:
                endpoint.close()
            for path in (control.path(plan.runtime), paths.purge(plan.runtime)):
                Path(path).unlink(missing_ok=True)
            commands.pause.resume()
        finally:  # whatever the disk refuses, no process stays
            await effects.leave()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
