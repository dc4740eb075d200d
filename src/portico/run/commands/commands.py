"""What people change for a while, beside the machine, and what they are told when they ask how it goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from portico.plan.paths import temporary
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.run.background import in_background
from portico.run.commands import status
from portico.run.commands.certificates import Certificates
from portico.run.commands.pause import Pause
from portico.run.commands.scale import Scale
from portico.run.control import server as control
from portico.run.disk import full as disk
from portico.run.driver import Driver
from portico.run.gateway import maintenance
from portico.run.gateway.bodies import bodies
from portico.run.gateway.purge import Purge
from portico.run.precompress.watcher import Copies
from portico.run.running import Running, SayNews
from portico.run.upstream.watcher import Upstreams
from portico.run.watchers import slow, usage
from portico.run.watchers.forwarded import Forwarded
from portico.run.watchers.runner import Watchers
from portico.run.watchers.served import Served
from portico.run.watchers.workers import Workers


class Observed(Running, Protocol):
    """A running site whose app can be asked once more."""

    async def ask_again(self, number: int) -> None:
        """Ask the app of that release that failed, because somebody wants to know."""


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
        self._scale, self._restarts = Scale(running), Counter[str]()
        self.pause = Pause(running, say)
        self.workers = Workers(running, say)
        self.purge = Purge(lambda: running.in_force)
        self.served = Served(running.in_force.access_log)
        self.forwarded = Forwarded(lambda: running.in_force, say)

    def hear(self, item: Notice) -> None:
        """The notices, as they come: what is restarted is counted, and a site that stops finishes what waits."""
        if isinstance(item, notices.Restarting):
            self._restarts[item.name] += 1
        if isinstance(item, notices.Stopping):
            self.pause.resume()

    def answers(self) -> dict[str, control.Answer]:
        """What the control socket answers to."""
        return {
            "GET /status": control.Answer(self._status),
            "POST /maintenance/on": control.Answer(self._close, ("message", "allow")),
            "POST /maintenance/off": control.Answer(self._open_again),
            "POST /pause": control.Answer(self._begin_pause, ("for",)),
            "POST /resume": control.Answer(self._resume),
            **self._certificates.answers(),
            "POST /purge": control.Answer(self.purge.give, ("what",)),
            "POST /scale": control.Answer(self._set_workers, ("workers",)),
        }

    async def reloaded(self, items: AsyncIterator[Notice]) -> AsyncGenerator[Notice, None]:
        """The notices of a reload, and whether it undid what `portico scale` had done."""
        scaled = self._scale.changed(self._driver.state.live)
        async for item in items:
            yield item
            if isinstance(item, notices.Switched) and scaled:
                workers = self._scale.workers(item.number)
                yield notices.WorkersReset(workers, scaled)
            if isinstance(item, notices.ReleaseDropped):
                async for more in self.code_on_disk(self._driver.state.live):
                    yield more

    async def decided(self, items: AsyncIterator[Notice]) -> AsyncGenerator[Notice, None]:
        """The notices of a rollback, a promotion or an abortion, and whether a rollback leads to files that are
        gone."""
        async for item in items:
            yield item
            if isinstance(item, notices.RolledBack):
                async for more in self.code_on_disk(item.number):
                    yield more

    async def code_on_disk(self, number: int) -> AsyncGenerator[Notice, None]:
        """The notice that the files of a release that serves are not what it began with, if so."""
        if changed := await in_background(lambda: self.workers.changed_on_disk(number)):
            item = notices.OtherCode(number, changed)
            self._say(item)
            yield item

    async def _status(self, _: control.Parameters) -> AsyncGenerator[object, None]:
        live = self._driver.state.live
        if (serving := self._driver.state.release(live)) and serving.fails:
            await self._running.ask_again(live)
        changed = await in_background(lambda: self.workers.changed_on_disk(live))
        told: dict[str, Any] = {"requests": await self.served.tell(), "changed_on_disk": list(changed)}
        told["forwarded"] = await self.forwarded.look()
        yield await self.site_status() | told

    async def site_status(self) -> dict[str, Any]:
        """Everything about the processes; what the kernel is asked for is asked in another thread."""
        running, state = self._running, self._driver.state
        told = status.status(state, running.in_force, running.pids(), self._driver.time())
        plans = dict(running.plans)
        wanted = {number: self._scale.workers(number) for number in plans}

        def look() -> dict[str, Any]:
            used, plan = usage.usage(told, wanted), running.in_force
            for one in used["releases"]:
                one |= self.workers.status(one["number"], one["pid"])
            gateway = [worker["pid"] for worker in used["nginx"]["workers"]]
            return used | {
                "bodies": bodies(gateway, temporary(plan.state)),
                "queue": usage.queue(plans),
                "connections": usage.connections(plan.listen),
                "slow": slow.requests(plan.runtime),
                "full_disks": disk.full((plan.state, plan.runtime)),
            }

        return await in_background(look) | {
            "servers": self._upstreams.status(),
            "restarts": dict(self._restarts),
            "maintenance": maintenance.state(running.in_force.runtime),
            "pause": self.pause.status(),
            "certificate": self._certificates.status(),
            "compressed": self._copies.status(),
            "watchers": self._watchers.status(),
        }

    async def _close(self, asked: control.Parameters) -> AsyncGenerator[object, None]:
        runtime = self._running.in_force.runtime
        told = maintenance.close(runtime, asked.get("message", ""), asked.get("allow", ""))
        self._say(notices.Closed(told["message"], tuple(told["allow"])))
        await asyncio.sleep(maintenance.SEEN_SECONDS)
        yield told

    async def _open_again(self, _: control.Parameters) -> AsyncGenerator[object, None]:
        was_closed = maintenance.open_again(self._running.in_force.runtime)
        if was_closed:
            self._say(notices.Opened())
        await asyncio.sleep(maintenance.SEEN_SECONDS)
        yield {"was_closed": was_closed}

    async def _begin_pause(self, asked: control.Parameters) -> AsyncGenerator[object, None]:
        async for item in self.pause.begin(asked.get("for", "")):
            yield item

    async def _resume(self, _: control.Parameters) -> AsyncGenerator[object, None]:
        yield {"was_paused": self.pause.resume()}

    async def _set_workers(self, asked: control.Parameters) -> AsyncGenerator[object, None]:
        async for item in self._scale.to(self._driver.state.live, asked.get("workers", "")):
            yield item
