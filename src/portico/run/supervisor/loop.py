"""Runs a plan in the foreground and keeps it running: collects events, and performs actions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from portico.errors import (
    FAILED,
    IMPORT_FAILED,
    UNHEALTHY,
    ImportFailedError,
    PorticoError,
    Problem,
    UnhealthyError,
)
from portico.plan.model import Plan
from portico.protocol import notices
from portico.run.disk import directories
from portico.run.gateway import files
from portico.run.gateway.programs import program_of
from portico.run.machine import action as do
from portico.run.running import SayNews
from portico.run.sockets.listening import Listening
from portico.run.sockets.systemd import Service
from portico.run.supervisor import planning
from portico.run.supervisor.claim import Claim, claimed
from portico.run.supervisor.observer import HostHooks, Observer
from portico.run.supervisor.parts import Given, Parts
from portico.run.supervisor.planning import Replan, first_material
from portico.run.upstream.watcher import without_app
from portico.run.watchers.runner import Watcher

_ERRORS = {FAILED: PorticoError, UNHEALTHY: UnhealthyError, IMPORT_FAILED: ImportFailedError}


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
    """Serve the plan until a stop; SIGTERM and SIGINT stop, a second one hurries, SIGHUP reloads.

    `say` gets the notices, in this thread. `replan` is called in another thread for each reload, with the directory
    of the code ("" for unchanged), the active plan and the function that starts on a draft of the plan. It returns
    the plan of the next release or raises PorticoError; without it, a reload serves new code under the same plan.
    `beside` is started with the serving and cancelled at its end; so is the `observer`, which gets every notice and
    adds its own answers to those of the control socket. `claim` is the runtime directory if it is locked already.
    Returns the exit code, 128 + n after signal n. Raises PorticoError if it cannot start; nothing is left running
    then. Must be called from the main thread.
    """
    with _claimed(plan, claim) as claim:
        service = claim.service
        plan = host.settle(plan, service) if host else plan
        material = first_material(plan)
        listening, unwanted = _listening(plan, service)
        with closing(listening):
            tell = _both(say, service.hear)
            tell = host.hears(tell) if host else tell
            for problem in unwanted:
                tell(notices.Trouble(problem))
            works = (*beside, Watcher("the service manager", service.keep_alive))
            works += (Watcher("the sites", host.watch),) if host else ()
            again = replan or (lambda _, old, __: old)
            given = Given(plan, claim, listening, material, tell, again, works, host, observer)
            end = asyncio.run(_serve(given))
        if end.problems:  # the files stay: people look at the active configuration
            problems = end.problems
            if not plan.has_app:
                problems = tuple(without_app(problem, plan.gateway.name) for problem in problems)
            raise _ERRORS.get(end.code, PorticoError)(*problems)
        with suppress(OSError):  # the stop succeeded, and the next start removes them
            files.remove(plan)
    return end.code


@contextmanager
def _claimed(plan: Plan, claim: Claim | None) -> Iterator[Claim]:
    """The runtime directory, which may be locked already; the plan may need more directories than known then."""
    if claim is None:
        with claimed(plan) as claim:
            yield claim
    else:
        directories.make(plan)
        yield claim


def _listening(plan: Plan, service: Service) -> tuple[Listening, list[Problem]]:
    """The sockets for clients; a site on a shared gateway, or with one elsewhere, has none."""
    if plan.shared or not plan.has_gateway:
        return Listening({}, service, is_handed_over=False), []
    program = program_of(plan)
    if program.inherits is not None:
        return Listening.open(plan, service)
    found, _ = Listening.open(plan, Service("", 0.0, ()))
    return found, service.give_up(
        f"{program.name} opens its sockets itself: run the site without a .socket unit"
    )


def _both(say: SayNews, hear: SayNews) -> SayNews:
    def tell(item: notices.Notice) -> None:
        say(item)
        hear(item)

    return tell


async def _serve(given: Given) -> do.Exit:
    parts = Parts(given)
    await parts.open()
    try:
        is_handed_over = given.listening.is_handed_over
        first = planning.begin(given.claim.number, given.plan, is_handed_over=is_handed_over)
        return await parts.driver.run(parts.effects.perform, first)
    finally:
        await parts.leave()
