"""The routes of a gateway's control socket: questions of its sites and of people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from msgspec.structs import replace

from portico.errors import FAILED, PorticoError, Problem
from portico.plan.host import Fragment
from portico.protocol import commands, notices
from portico.protocol.answers import Halted, Verdict
from portico.protocol.commands import Args, FilesOfSite, Handler, OfSite, handled
from portico.protocol.notices import Notice
from portico.protocol.status import Status as SiteStatus
from portico.run.background import in_background
from portico.run.broadcast import Items
from portico.run.host.acceptable import conflict, objections
from portico.run.host.hosted import HostedSite, read_part
from portico.run.host.sites import Sites
from portico.run.host.state import Status
from portico.run.machine.state import Phase
from portico.run.sockets import ports


def answers(sites: Sites, known: Sequence[Handler]) -> list[Handler]:
    """The gateway's handlers, made from those of every run."""
    return Answers(sites).of(known)


class Answers:
    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._trying = asyncio.Lock()

    def of(self, known: Sequence[Handler]) -> list[Handler]:
        """Includes the routes of every run."""
        by_command = {handler.command: handler for handler in known}

        async def status(asked: Args) -> AsyncGenerator[SiteStatus, None]:
            async for answer in by_command[commands.STATUS].give(asked):
                yield replace(answer, sites=await self._sites.status())

        return [
            by_command[commands.STOP],
            handled(commands.STATUS, status),
            handled(commands.RELOAD, self._reload),
            handled(commands.TRY, self._try),
            handled(commands.USE, self._use),
            handled(commands.LEAVE, self._leave),
            handled(commands.READY, self._ready),
            handled(commands.START, self._start),
            handled(commands.HALT, self._halt),
        ]

    async def _try(self, asked: FilesOfSite) -> AsyncGenerator[Verdict, None]:
        part = await self._part(asked)
        async with self._trying:
            problems = await self._objections(part)
            if not problems:
                self._sites.pending[part.bindings.name] = part.bindings
        yield Verdict(problems)

    async def _objections(self, part: Fragment) -> tuple[Problem, ...]:
        sites, name = self._sites, part.bindings.name
        if problems := conflict(part, sites.parts.values(), sites.pending.values()):
            return problems
        if part == sites.parts.get(name):
            return ()
        listening = sites.planned().listen
        fresh = [address for address in part.bindings.addresses if address not in listening]
        place, together = sites.place, tuple((sites.parts | {name: part}).values())
        try:
            ports.check(fresh, place.gateway.path)
        except PorticoError as error:
            return error.problems
        return await in_background(lambda: objections(together, place))

    async def _use(self, asked: FilesOfSite) -> AsyncGenerator[Verdict, None]:
        part = await self._part(asked)
        self._sites.pending.pop(part.bindings.name, None)
        yield Verdict(() if self._is_leaving() else await self._sites.use(part.bindings.name, part))

    async def _leave(self, asked: OfSite) -> AsyncGenerator[Verdict, None]:
        name = asked.site
        if name in self._sites.hosted_sites and not self._is_leaving():
            await self._sites.left(name)
        yield Verdict()

    async def _ready(self, asked: OfSite) -> AsyncGenerator[Verdict, None]:
        self._sites.serves(asked.site)
        yield Verdict()

    async def _reload(self, asked: commands.Reload) -> AsyncGenerator[Notice, None]:
        """Read the list of sites again, try those that do not run, and report the outcome."""
        if asked != commands.Reload():
            raise PorticoError(
                Problem("", "a gateway has no release", "reload one of its sites: --site NAME")
            )
        sites, before = self._sites, set(self._sites.hosted_sites)
        with sites.follow() as items:
            if problems := await sites.reloaded(sites.tell):
                yield _dropped(problems)
                return
            after = set(sites.hosted_sites)
            yield notices.SitesRead(added=len(after - before), removed=len(before - after))
            for name, hosted in sites.hosted_sites.items():
                if hosted.state.status is Status.REFUSED:
                    yield notices.SiteRefused(name, hosted.state.reason)
            while self._has_untried():
                item = await items.get()
                if isinstance(item, notices.SiteServes | notices.SiteDown):
                    yield item
                elif isinstance(item, notices.Stopping):
                    return

    def _has_untried(self) -> bool:
        return any(not hosted.state.is_tried for hosted in self._sites.hosted_sites.values())

    async def _start(self, asked: OfSite) -> AsyncGenerator[Notice, None]:
        """Start a site that does not run, and report the outcome; its fault may be repaired."""
        sites, hosted = self._sites, self._named(asked)
        name = hosted.desired.name
        with sites.follow() as items:
            if hosted.child is not None and hosted.state.status is Status.STARTING:
                # This start may have begun before the repair: its result counts only if it succeeds.
                end = await _end_of_start(items, name)
                if not isinstance(end, notices.SiteDown):
                    yield end
                    return
            elif hosted.child is not None:
                raise PorticoError(Problem("", f"{name} is {hosted.state.status}", "reload it"))
            if problems := await sites.reloaded(lambda event: sites.tell_about(name, event)):
                yield _dropped(problems)
                return
            taken = sites.hosted_sites.get(name)
            if taken is None or taken.state.status is Status.REFUSED:
                reason = taken.state.reason if taken else "it is not there any more"
                yield notices.SiteRefused(name, reason)
            else:
                yield await _end_of_start(items, name)

    async def _halt(self, asked: OfSite) -> AsyncGenerator[Halted, None]:
        """Do not start the site, and do not retry. A serving site is stopped by its own command."""
        sites, hosted = self._sites, self._named(asked)
        name = hosted.desired.name
        with sites.follow() as items:
            sites.supervisors.halt(hosted)
            if hosted.child is not None:
                await _end_of_start(items, name)
        yield Halted(name, hosted.state.status)

    def _named(self, asked: OfSite) -> HostedSite:
        name = asked.site
        if (hosted := self._sites.hosted_sites.get(name)) is None:
            names = ", ".join(self._sites.hosted_sites)
            raise PorticoError(Problem("", f'no site is called "{name}"', f"there are: {names}"))
        return hosted

    async def _part(self, asked: FilesOfSite) -> Fragment:
        name, where = asked.site, Path(asked.directory)
        part = await in_background(lambda: read_part(where))
        if part.bindings.name != name or name not in self._sites.hosted_sites:
            raise PorticoError(Problem("", f'"{name}" is not a site of this gateway'))
        return part

    def _is_leaving(self) -> bool:
        return self._sites.driver.state.phase in (Phase.STOPPING, Phase.ENDED)


async def _end_of_start(
    items: Items, name: str
) -> notices.SiteServes | notices.SiteDown | notices.SiteStopped | notices.Stopping:
    """The outcome of that site's start; also that the site or the gateway was stopped."""
    while True:
        item = await items.get()
        if isinstance(item, notices.Stopping):
            return item
        if (
            isinstance(item, notices.SiteServes | notices.SiteDown | notices.SiteStopped)
            and item.name == name
        ):
            return item


def _dropped(problems: tuple[Problem, ...]) -> Notice:
    return notices.ReleaseDropped(0, FAILED, problems)
