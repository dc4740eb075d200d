"""Temporary changes by people, which the machine does not handle, and answers to questions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import structs

from portico.protocol import commands, notices
from portico.protocol.answers import MaintenanceEnded, PauseBegun, PauseEnded, Scaled
from portico.protocol.commands import Args, Handler, handled
from portico.protocol.notices import Notice
from portico.protocol.status import Maintenance, SiteStatus, Status
from portico.run.background import in_background
from portico.run.commands.certificates import Certificates
from portico.run.commands.pause import Pause
from portico.run.commands.scale import Scale
from portico.run.commands.site_status import status as status_of
from portico.run.disk import free_space
from portico.run.driver import Driver
from portico.run.gateway import maintenance
from portico.run.gateway.model import Gateway
from portico.run.gateway.programs import program_of
from portico.run.gateway.purge import Purge
from portico.run.precompress.watcher import Copies
from portico.run.running import Running, SayNews
from portico.run.upstream.watcher import Upstreams
from portico.run.watchers import slow, usage
from portico.run.watchers.bans import GUESSERS, Bans
from portico.run.watchers.crawlers import CrawlerNames
from portico.run.watchers.forwarded import Forwarded
from portico.run.watchers.runner import Watchers
from portico.run.watchers.served import Served
from portico.run.watchers.workers import Workers


class Background(Protocol):
    """The background processes of a running site."""

    def pids(self) -> dict[int, int]:
        """By their ids."""


class Observed(Running, Protocol):
    """A running site whose app can be asked again."""

    @property
    def gateway(self) -> Gateway:
        """The releases that answer its clients."""

    @property
    def background(self) -> Background:
        """Its background processes."""

    async def ask_again(self, number: int) -> None:
        """Ask the app of the failed release again, for `portico status`."""


class Commands:
    """Maintenance, pause and scale; `served` is to be watched beside the serving."""

    def __init__(
        self,
        driver: Driver,
        running: Observed,
        say: SayNews,
        upstreams: Upstreams,
        copies: Copies,
        certificates: Certificates,
        watchers: Watchers,
    ) -> None:
        self._say = say
        self._driver, self._running, self._upstreams = driver, running, upstreams
        self._copies, self._certificates = copies, certificates
        self._watchers = watchers
        self.scale, self._restarts = Scale(running), Counter[str]()
        self.pause = Pause(running, say)
        self.workers = Workers(running, say)
        self.purge = Purge(lambda: running.in_force)
        self.served = Served(running.in_force.access_log)
        self.forwarded = Forwarded(lambda: running.in_force, say)
        hides_many = self.forwarded.may_hide_many
        self.bans = Bans(lambda: running.in_force, hides_many=hides_many)
        self.crawlers = CrawlerNames(lambda: running.in_force, hides_many=hides_many)
        self.guesses = Bans(lambda: running.in_force, GUESSERS)

    def hear(self, item: Notice) -> None:
        """Gets each notice: counts restarts, and ends a pause if the site stops, so that waiting requests finish."""
        if isinstance(item, notices.Restarting):
            self._restarts[item.name] += 1
        if isinstance(item, notices.Stopping):
            self.pause.resume()

    def handlers(self) -> list[Handler]:
        """The routes of the control socket."""
        return [
            handled(commands.STATUS, self._status),
            handled(commands.CLOSE, self._close),
            handled(commands.OPEN, self._open_again),
            handled(commands.PAUSE, self._begin_pause),
            handled(commands.RESUME, self._resume),
            *self._certificates.handlers(),
            handled(commands.PURGE, self.purge.give),
            handled(commands.SCALE, self._set_workers),
            handled(commands.LIFT, lambda asked: self.bans.lift(asked, self.guesses)),
        ]

    async def _status(self, _: Args) -> AsyncGenerator[Status, None]:
        live = self._driver.state.live
        if (serving := self._driver.state.release(live)) and serving.fails:
            await self._running.ask_again(live)
        changed = await in_background(lambda: self.workers.changed_on_disk(live))
        requests, forwarded = await self.served.tell(), await self.forwarded.look()
        yield Status(
            **structs.asdict(await self.site_status()),
            requests=requests, changed_on_disk=changed, forwarded=forwarded,
        )  # fmt: skip

    async def site_status(self) -> SiteStatus:
        """The whole status of the processes; another thread queries the kernel."""
        running, state, plan = self._running, self._driver.state, self._running.in_force
        plans, pids, background = dict(running.plans), running.pids(), running.background.pids()
        site = status_of(state, plan, plans, pids, background, self._driver.time())
        wanted = {number: self.scale.workers(number) for number in plans}

        def look() -> SiteStatus:
            gateway = usage.gateway(site.gateway)
            releases = [usage.release(one, wanted.get(one.number)) for one in site.releases]
            return structs.replace(
                site,
                memory=usage.own_memory(),
                gateway=gateway,
                releases=tuple(map(self.workers.status, releases)),
                background=tuple(map(usage.background, site.background)),
                bodies=running.gateway.bodies(plan, [worker.pid for worker in gateway.workers]),
                queue=usage.queue(plans),
                connections=usage.connections(plan.listen),
                slow=slow.requests(plan.runtime),
                full_disks=tuple(free_space.full((plan.state, plan.runtime))),
            )

        return structs.replace(
            await in_background(look),
            servers=self._upstreams.status(),
            restarts=dict(self._restarts),
            maintenance=maintenance.state(running.in_force.runtime),
            pause=self.pause.status(),
            certificate=self._certificates.status(),
            compressed=self._copies.status(),
            watchers=self._watchers.status(),
            bans=self.bans.status(),
        )

    async def _close(self, asked: commands.CloseForMaintenance) -> AsyncGenerator[Maintenance, None]:
        closed = maintenance.close(self._running.in_force.runtime, asked.message, asked.allow)
        self._say(notices.Closed(closed.message, closed.allow))
        await asyncio.sleep(program_of(self._running.in_force).sees_seconds)
        yield closed

    async def _open_again(self, _: Args) -> AsyncGenerator[MaintenanceEnded, None]:
        was_closed = maintenance.open_again(self._running.in_force.runtime)
        if was_closed:
            self._say(notices.Opened())
        await asyncio.sleep(program_of(self._running.in_force).sees_seconds)
        yield MaintenanceEnded(was_closed)

    async def _begin_pause(self, asked: commands.BeginPause) -> AsyncGenerator[PauseBegun, None]:
        yield await self.pause.begin(asked.length)

    async def _resume(self, _: Args) -> AsyncGenerator[PauseEnded, None]:
        yield PauseEnded(self.pause.resume())

    async def _set_workers(self, asked: commands.SetWorkers) -> AsyncGenerator[Scaled, None]:
        yield await self.scale.to(self._driver.state.live, asked.workers)
