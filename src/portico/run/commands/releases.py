"""Commands for releases: reload, promote, abort, rollback; and stop."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from portico.errors import DONE, PorticoError, Problem
from portico.plan.model import Plan
from portico.protocol import commands, notices
from portico.protocol.answers import StopBegun
from portico.protocol.commands import Args, Command, Handler, handled
from portico.protocol.notices import Notice
from portico.run.background import in_background
from portico.run.broadcast import Broadcast, Items, until_concluded, until_decided, until_reloaded
from portico.run.driver import Driver
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.running import Running


class Scaled(Protocol):
    """The changes of `portico scale` to the workers of a release."""

    def workers(self, number: int) -> int:
        """How many workers that release should have."""

    def changed(self, number: int) -> int:
        """The scaled number of workers; 0 if the release has the configured number."""


class Releases:
    """`tell` gets the events; `is_paused` and `changed_on_disk` ask other parts beside the machine."""

    def __init__(
        self,
        driver: Driver,
        tell: Callable[[Event], None],
        running: Running,
        broadcast: Broadcast,
        scale: Scaled,
        *,
        is_paused: Callable[[], bool],
        changed_on_disk: Callable[[int], tuple[str, ...]],
    ) -> None:
        self._driver, self._tell, self._running, self._broadcast = driver, tell, running, broadcast
        self._scale, self._is_paused, self._changed_on_disk = scale, is_paused, changed_on_disk

    def handlers(self) -> list[Handler]:
        return [
            handled(commands.RELOAD, self._reload),
            self._decide(commands.PROMOTE, was.PromoteAsked()),
            self._decide(commands.ABORT, was.AbortAsked()),
            self._decide(commands.ROLLBACK, was.RollbackAsked()),
            handled(commands.STOP, self._stop),
        ]

    async def _reload(self, asked: commands.Reload) -> AsyncGenerator[Notice, None]:
        request = was.ReloadAsked(asked.path, _tenths(asked.canary, self._running.in_force))
        if self._is_paused():
            raise PorticoError(Problem("", "a new release cannot prove itself in a pause", "portico resume"))
        if (request.path or request.tenths) and (self._driver.state.trial or self._driver.state.request):
            raise PorticoError(Problem("", "another reload is under way", "wait for its end: portico status"))
        with self._broadcast.follow() as items:
            self._tell(request)
            async for item in self._reloaded(until_reloaded(items)):
                yield item
                async for more in self._concluded(item, items):
                    yield more

    def _decide(self, command: Command[Args, Notice], event: Event) -> Handler:
        async def give(_: Args) -> AsyncGenerator[Notice, None]:
            if isinstance(event, was.RollbackAsked):
                self._check_rollback()
            with self._broadcast.follow() as items:
                self._tell(event)
                async for item in until_decided(items):
                    yield item
                    async for more in self._concluded(item, items):
                        yield more
                    if isinstance(item, notices.RolledBack):
                        plan = self._running.plans.get(item.number)
                        processes = tuple(plan.background) if plan else ()  # the rollback has started them
                        async for more in self._code_on_disk(item.number, processes):
                            yield more

        return handled(command, give)

    async def _stop(self, _: Args) -> AsyncGenerator[StopBegun, None]:
        self._tell(was.StopAsked(DONE))
        yield StopBegun(os.getpid())

    async def _reloaded(self, items: AsyncIterator[Notice]) -> AsyncGenerator[Notice, None]:
        """The notices of a reload, and whether it undid a change by `portico scale`."""
        scaled = self._scale.changed(self._driver.state.live)
        async for item in items:
            yield item
            if isinstance(item, notices.Switched) and scaled:
                yield notices.WorkersReset(self._scale.workers(item.number), scaled)
            if isinstance(item, notices.ReleaseDropped):
                async for more in self._code_on_disk(self._driver.state.live):
                    yield more

    async def _concluded(self, item: Notice, items: Items) -> AsyncGenerator[Notice, None]:
        """What the command after the release does, once it serves."""
        plan = self._running.plans.get(item.number) if isinstance(item, notices.Switched) else None
        if isinstance(item, notices.Switched) and plan is not None and plan.after is not None:
            async for more in until_concluded(items, item.number):
                yield more

    async def _code_on_disk(
        self, number: int, processes: tuple[str, ...] = ()
    ) -> AsyncGenerator[Notice, None]:
        """A notice if the files of a serving release differ from those it began with; `processes` were just started."""
        if changed := await in_background(lambda: self._changed_on_disk(number)):
            item = notices.OtherCode(number, changed, processes=processes)
            self._broadcast.say(item)
            yield item

    def _check_rollback(self) -> None:
        """Raises PorticoError if the directory of the previous release is gone, and its templates with it."""
        state = self._driver.state
        standby = None if state.canary else state.standby
        plan = self._running.plans.get(standby.number) if standby else None
        if standby and plan and plan.has_app and not Path(plan.server.cwd).is_dir():
            what = f"release {standby.number} cannot serve again: its directory is gone: {plan.server.cwd}"
            raise PorticoError(
                Problem("", what, "put it back, or reload other code: portico reload --path DIR")
            )


def _tenths(percent: str, plan: Plan) -> int:
    """The canary's share, 0 for no canary. Raises PorticoError for an invalid share."""
    if not percent:
        return 0
    if percent not in ("10", "20", "30", "40", "50"):
        what = f'a canary cannot get "{percent}" % of the requests'
        raise PorticoError(Problem("", what, "expected 10, 20, 30, 40 or 50"))
    if plan.upstream is not None:
        what = "a canary gets a share of the local app's requests, but [upstream] already distributes them"
        raise PorticoError(Problem("", what, "reload without --canary"))
    return int(percent) // 10
