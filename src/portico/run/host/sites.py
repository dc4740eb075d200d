"""The sites of a gateway: one supervisor each, their parts of one nginx, and their requests to it.

`run.supervisor.loop` runs the gateway as for any site: the gateway is a site without an app, whose plan consists of
the other sites' parts. A changed part is a reload of that plan: written, tested, switched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from portico.errors import PorticoError, Problem, UsageError
from portico.place.model import Place
from portico.plan.bindings import Bindings, reached
from portico.plan.host import Fragment, host_plan
from portico.plan.model import Plan
from portico.plan.subjects import Ladder
from portico.protocol import notices
from portico.protocol.commands import Handler
from portico.protocol.status import SiteRow
from portico.run.background import in_background
from portico.run.broadcast import Broadcast, Items, until_reloaded
from portico.run.driver import Driver
from portico.run.gateway.programs import program_named
from portico.run.gateway.workers import accepting, until_replaced
from portico.run.host.acceptable import conflict
from portico.run.host.hosted import DesiredSite, HostedSite, clear_away, waiting
from portico.run.host.intake import Taken, taken_in
from portico.run.host.state import Status
from portico.run.host.supervisors import Supervisors
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.processes import proc
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets.systemd import Service
from portico.run.supervisor.ahead import Begin
from portico.ticks import Rounds
from portico.values import Address


class Sites:
    """The `host` argument of `run.supervisor.loop`.

    `look` reads the list of desired sites again. `answers` makes the handlers of the control socket from those of
    every run (`run.host.answers`).
    """

    def __init__(
        self,
        place: Place,
        look: Callable[[], Sequence[DesiredSite]],
        answers: Callable[[Sites, Sequence[Handler]], list[Handler]],
    ) -> None:
        self.place, self._look, self._answers = place, look, answers
        self.supervisors = Supervisors(self._tell_ready, self._stop_seconds)
        self.parts: dict[str, Fragment] = {}
        self.pending: dict[str, Bindings] = {}
        """Files that the gateway accepted for a site, but does not use yet."""
        self._say: SayNews = lambda _: None
        self._ready: notices.Ready | None = None
        self._rereads, self._only = False, ""
        self._next: Taken | None = None

    @property
    def hosted_sites(self) -> dict[str, HostedSite]:
        """Every desired site, including refused ones."""
        return self.supervisors.hosted_sites

    # Calls from the loop ----------------------------------------------------------------------------------

    def settle(self, plan: Plan, service: Service) -> Plan:
        """Accept every site that can be served. Raises UsageError if none can."""
        del plan
        taken = self._taken_in(None if service.taken else ())
        self.supervisors.hosted_sites, self.parts = taken.hosted_sites, taken.parts
        if not self.parts:
            raise UsageError(*(Problem("", one.state.reason) for one in self.hosted_sites.values()))
        return self.planned()

    def planned(self) -> Plan:
        return host_plan(tuple(self.parts.values()), self.place)

    def hears(self, say: SayNews) -> SayNews:
        def hear(item: notices.Notice) -> None:
            if isinstance(item, notices.Ready):
                self._ready = item
                self._tell_ready()
                return
            if isinstance(item, notices.Switched):
                self._reconcile()
            if isinstance(item, notices.ReleaseDropped):
                self._next = None
            say(item)

        self._say = say
        return hear

    def join(
        self,
        driver: Driver,
        processes: Processes,
        broadcast: Broadcast,
        handlers: Sequence[Handler],
    ) -> list[Handler]:
        self.driver, self._broadcast = driver, broadcast
        for hosted in self.hosted_sites.values():
            if hosted.state.status is Status.REFUSED:
                self._tell_refused(hosted)
        self.supervisors.join(processes, broadcast)
        return self._answers(self, handlers)

    def tell(self, event: Event) -> None:
        """A reload by a user: reads the list of sites again."""
        if isinstance(event, was.ReloadAsked):
            self._rereads, self._only = True, ""
        self.driver.tell(event)

    def tell_about(self, name: str, event: Event) -> None:
        """The same for one site: other sites that do not run are left alone."""
        if not self._rereads:
            self._rereads, self._only = True, name
        elif self._only != name:
            self._only = ""
        self.driver.tell(event)

    def replan(self, path: str, old: Plan, _: Begin) -> Plan:
        """The plan of the current sites; called in its own thread. Raises PorticoError."""
        if path:
            raise PorticoError(
                Problem("", "a gateway has no release", "reload one of its sites: --site NAME")
            )
        if self._rereads:
            self._rereads = False
            self._next = self._taken_in(old.listen)
            return host_plan(tuple(self._next.parts.values()), self.place)
        return self.planned()

    def watch(self) -> Rounds:
        """Start due sites, forever."""
        return self.supervisors.watch()

    async def leave(self) -> None:
        """The gateway has exited: the sites finish their requests."""
        await self.supervisors.leave()

    def serves(self, name: str) -> None:
        """Its supervisor reports that it answers through the gateway."""
        self.supervisors.serves(name, self.urls(name))

    def urls(self, name: str) -> tuple[str, ...]:
        """The site's addresses, as far as they are known."""
        if name in self.parts:
            return reached(self.parts[name].bindings, (part.bindings for part in self.parts.values()))
        plan = self.hosted_sites[name].desired.plan
        return plan.urls if plan else ()

    def follow(self) -> AbstractContextManager[Items]:
        """Gets the notices from now on."""
        return self._broadcast.follow()

    def _stop_seconds(self) -> float:
        longest = max((one.bindings.request_seconds for one in self.parts.values()), default=0.0)
        return Ladder.of(longest).stop_seconds

    # The list of sites -----------------------------------------------------------------------------------

    def _taken_in(self, open_already: Collection[Address] | None) -> Taken:
        before, now = Taken(self.hosted_sites, self.parts), self.supervisors.now()
        return taken_in(self._look(), before, self.place, open_already, now, self._only)

    def _reconcile(self) -> None:
        """The gateway serves the new list: start new sites, stop removed ones."""
        if self._next is None:
            return
        taken, self._next = self._next, None
        hosted_sites, parts = taken.hosted_sites, taken.parts
        # Changes since the list was read count: a site was started, or changed its part.
        hosted_sites |= {
            name: one
            for name, one in self.hosted_sites.items()
            if one.child and name in parts and name in self.parts
        }
        parts |= {
            name: self.parts[name] for name in parts if hosted_sites[name] is self.hosted_sites.get(name)
        }
        before, self.supervisors.hosted_sites, self.parts = self.hosted_sites, hosted_sites, parts
        for name, hosted in before.items():
            if hosted_sites.get(name) is hosted:
                continue
            if hosted.child is not None:
                self.supervisors.send_away(hosted)
            elif name not in hosted_sites:
                clear_away(hosted.desired)
        for name, hosted in hosted_sites.items():
            if before.get(name) is not hosted and hosted.state.status is Status.REFUSED:
                self._tell_refused(hosted)
        self.supervisors.wake()

    def _tell_refused(self, hosted: HostedSite) -> None:
        self._say(notices.SiteRefused(hosted.desired.name, hosted.state.reason))

    def _tell_ready(self) -> None:
        """The host is ready when its gateway is and every site was tried."""
        if self._ready is not None and all(one.state.is_tried for one in self.hosted_sites.values()):
            ready, self._ready = self._ready, None
            self._say(ready)

    # Changes of a part -----------------------------------------------------------------------------------

    async def use(self, name: str, part: Fragment) -> tuple[Problem, ...]:
        """Let the gateway serve this part of the site; returns the problems, and then nothing has changed."""
        before = self.parts.get(name)
        if part == before or name not in self.hosted_sites:
            return ()
        self.parts[name] = part
        program = program_named(self.place.gateway.program)
        workers = accepting(program, program.master(self.place.runtime))
        problems = await self.reloaded(self.driver.tell)
        if problems and before is not None and self.parts.get(name) is part:
            self.parts[name] = before
        if not problems:
            await until_replaced(program, workers)
        return problems

    async def left(self, name: str) -> None:
        """A site is stopping: its error pages stay, for its current domains."""
        hosted = self.hosted_sites[name]
        fresh = await in_background(lambda: [one for one in self._look() if one.name == name and one.plan])
        for desired in (*fresh, hosted.desired):
            try:
                part = waiting(desired.plan) if desired.plan else None
            except PorticoError:
                continue  # its certificate is no longer usable
            if part and not conflict(part, self.parts.values(), self.pending.values()):
                hosted.desired = desired
                await self.use(name, part)
                return

    async def reloaded(self, tell: Callable[[Event], None]) -> tuple[Problem, ...]:
        """Request a reload; returns the problems."""
        with self._broadcast.follow() as items:
            tell(was.ReloadAsked())
            async for item in until_reloaded(items):
                if isinstance(item, notices.ReleaseDropped):
                    return item.problems
        return ()

    # Status ------------------------------------------------------------------------------------------------

    async def status(self) -> tuple[SiteRow, ...]:
        return await in_background(lambda: tuple(map(self._status_of, list(self.hosted_sites.values()))))

    def _status_of(self, hosted: HostedSite) -> SiteRow:
        now, site, state = self.supervisors.now(), hosted.desired, hosted.state
        pid = hosted.child.pid if hosted.child else None
        return SiteRow(
            name=site.name,
            origin=site.origin,
            status=state.status.value,
            urls=tuple(self.urls(site.name)),
            runtime=site.runtime,
            pid=pid,
            memory=proc.memory(pid) if pid else 0,
            since_seconds=round(now - state.since, 3),
            failures=state.failures,
            code=state.code,
            retry_seconds=None if state.due is None else round(max(0.0, state.due - now), 3),
            reason=state.reason,
        )
