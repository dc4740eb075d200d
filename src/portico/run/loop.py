"""Make a plan so, in the foreground, and keep it so: the world becomes events, actions are performed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

from portico.errors import (
    DONE,
    FAILED,
    IMPORT_FAILED,
    UNHEALTHY,
    ImportFailedError,
    PorticoError,
    Problem,
    UnhealthyError,
)
from portico.plan.model import Plan
from portico.run import action as do
from portico.run import (
    child,
    control,
    directories,
    disk,
    files,
    leftovers,
    lock,
    news,
    ports,
    signals,
    status,
    switch,
)
from portico.run import event as was
from portico.run.board import Board, until_reloaded
from portico.run.machine import Patience
from portico.run.pump import Pump
from portico.run.world import Replan, SayNews, World

Beside = Callable[[], Awaitable[None]]
"""Something that runs beside the serving and is cancelled when that has ended."""

_ERRORS = {FAILED: PorticoError, UNHEALTHY: UnhealthyError, IMPORT_FAILED: ImportFailedError}


def run(plan: Plan, *, say: SayNews, replan: Replan | None = None, beside: Sequence[Beside] = ()) -> int:
    """Serve the plan until told to stop; SIGTERM and SIGINT stop, a second one hurries, SIGHUP reloads.

    `say` hears the news, from this thread. `replan` is called in another one for each reload and returns
    the plan of the next generation or raises PorticoError; without it, a reload serves new code under the
    same plan. `beside` is started with the serving and cancelled when that has ended.
    Returns the exit code, 128 + n after signal n. Raises PorticoError when it cannot start; nothing is left
    running then. Must be called from the main thread.
    """
    directories.make(plan)
    with lock.held(plan):
        leftovers.end(plan.runtime)
        number = files.next_number(plan.runtime)
        switch.sweep(plan)
        ports.check(plan.listen, plan.nginx)
        child.adopt_orphans()
        end = asyncio.run(_serve(plan, number, say, replan or (lambda: plan), beside))
        if end.problems:  # the files stay: people look at what was in force
            raise _ERRORS.get(end.code, PorticoError)(*end.problems)
        files.remove(plan.runtime)
    return end.code


async def _serve(plan: Plan, number: int, say: SayNews, replan: Replan, beside: Sequence[Beside]) -> do.Exit:
    pump = Pump(Patience(plan.health.start_seconds, plan.ladder.stop_seconds))
    board = Board(say)
    world = World(plan, number, tell=pump.tell, say=board.say, replan=replan)
    signals.listen(pump.tell, world.reap)
    answers = await control.listen(plan.runtime, _answers(pump, world, board))
    works = (*beside, lambda: disk.watch(plan.state, board.say))
    tasks = [asyncio.ensure_future(_watched(work, board.say)) for work in works]
    try:
        return await pump.run(world, was.Begin(number))
    finally:
        answers.close()
        Path(control.path(plan.runtime)).unlink(missing_ok=True)
        await world.leave()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _answers(pump: Pump, world: World, board: Board) -> control.Answers:
    """What the control socket answers to."""

    async def tell_status() -> AsyncGenerator[object, None]:
        yield status.status(pump.state, world.in_force, world.pids(), pump.time())

    async def reload() -> AsyncGenerator[object, None]:
        with board.follow() as items:
            pump.tell(was.ReloadAsked())
            async for item in until_reloaded(items):
                yield status.told(item)

    async def stop() -> AsyncGenerator[object, None]:
        pump.tell(was.StopAsked(DONE))
        yield {"stopping": os.getpid()}

    return {"GET /status": tell_status, "POST /reload": reload, "POST /stop": stop}


async def _watched(work: Beside, say: SayNews) -> None:
    """What runs beside the serving never ends it."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001  whatever it is, it is said
        say(news.Trouble(Problem("", f"{type(error).__name__}: {error}")))
