"""The sites of a gateway: a supervisor for each, their parts of one nginx, and what they ask of it.

nginx itself is run as that of any site (`run.loop`): the gateway is a site without an app, whose plan is made of the
parts of the others. A part that changes is a reload of that plan: written, tested, switched (D8).
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from portico.errors import PorticoError, Problem, UsageError
from portico.place.model import Place
from portico.plan.claim import Claim
from portico.plan.gateway import Part, gateway_plan
from portico.plan.model import Ladder, Plan
from portico.run import child, control, news, proc
from portico.run import event as was
from portico.run.action import Manner
from portico.run.background import in_background
from portico.run.board import Board, Items, until_reloaded
from portico.run.child import Child
from portico.run.event import Event
from portico.run.processes import Processes
from portico.run.pump import Pump
from portico.run.sites import life
from portico.run.sites.acceptable import Refused, acceptable, conflict
from portico.run.sites.life import Status
from portico.run.sites.member import Member, Wanted, clear_away, prepare, set_booting, show_pages, waiting
from portico.run.stderr import Lines
from portico.run.systemd import Service

SayNews = Callable[[news.News], None]
AT_ONCE = 4
"""Supervisors that start at the same time: importing an app takes a core for a second."""
_ENDS = child.Signals(drain=signal.SIGTERM, hurry=signal.SIGTERM)
"""To a Portico, a second SIGTERM says to hurry."""


class Sites:
    """What `run.loop` is given as `along`; `look` reads again which sites there are to be."""

    def __init__(self, place: Place, look: Callable[[], Sequence[Wanted]]) -> None:
        self.place, self._look = place, look
        self.members: dict[str, Member] = {}
        self.parts: dict[str, Part] = {}
        self.pending: dict[str, Claim] = {}
        """What sites were told they may have, and have not begun to use."""
        self._say: SayNews = lambda _: None
        self._ready: news.Ready | None = None
        self._rereads, self._only = False, ""
        self._next: tuple[dict[str, Member], dict[str, Part]] | None = None
        self._wake = asyncio.Event()

    # What run.loop asks ---------------------------------------------------------------------------------

    def settle(self, plan: Plan, service: Service) -> Plan:
        """Take in every site that can be served. Raises UsageError when none can."""
        del plan
        self.members, self.parts = self._taken_in(self._look(), None if service.taken else ())
        if not self.parts:
            raise UsageError(*(Problem("", one.life.reason) for one in self.members.values()))
        return self.planned()

    def planned(self) -> Plan:
        return gateway_plan(tuple(self.parts.values()), self.place)

    def hears(self, say: SayNews) -> SayNews:
        def hear(item: news.News) -> None:
            if isinstance(item, news.Ready):
                self._ready = item
                self._tell_ready()
                return
            if isinstance(item, news.Switched):
                self._reconcile()
            if isinstance(item, news.GenerationDropped):
                self._next = None
            say(item)

        self._say = say
        return hear

    def join(
        self, pump: Pump, processes: Processes, board: Board, answers: Mapping[str, control.Answer]
    ) -> dict[str, control.Answer]:
        from portico.run.sites.answers import Answers

        self.pump, self._processes, self._board = pump, processes, board
        for member in self.members.values():
            if member.life.status is Status.REFUSED:
                self._tell_refused(member)
        self._start_due()
        return Answers(self).of(answers)

    def tell(self, event: Event) -> None:
        """A reload that a person asks for reads again which sites there are."""
        if isinstance(event, was.ReloadAsked):
            self._rereads, self._only = True, ""
        self.pump.tell(event)

    def tell_about(self, name: str, event: Event) -> None:
        """The same where only this site is meant: others that do not run are left alone."""
        if not self._rereads:
            self._rereads, self._only = True, name
        elif self._only != name:
            self._only = ""
        self.pump.tell(event)

    def replan(self, path: str, old: Plan) -> Plan:
        """The plan of the sites as they are now; called in a thread of its own. Raises PorticoError."""
        if path:
            raise PorticoError(
                Problem("", "a gateway has no release", "reload one of its sites: --site NAME")
            )
        if self._rereads:
            self._rereads = False
            self._next = self._taken_in(self._look(), old.listen)
            return gateway_plan(tuple(self._next[1].values()), self.place)
        return self.planned()

    async def watch(self) -> None:
        """Start what is due, for ever."""
        while True:
            self._start_due()
            self._wake.clear()
            dues = [one.life.due for one in self.members.values() if one.life.due is not None]
            is_full = self._starting() >= AT_ONCE
            try:
                async with asyncio.timeout_at(None if is_full else min(dues, default=None)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def leave(self) -> None:
        """nginx has left: the sites finish what they have. A signal hurries them."""
        loop, seconds = asyncio.get_running_loop(), self._stop_seconds()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end_all, Manner.HURRY)
        self._end_all(Manner.DRAIN)
        deadline = loop.time() + seconds
        while any(one.child for one in self.members.values()) and loop.time() < deadline:
            await asyncio.sleep(0.02)
        for one in self.members.values():
            if one.child is None:
                clear_away(one.wanted)

    # Starting and ending --------------------------------------------------------------------------------

    def serves(self, name: str) -> None:
        """Its supervisor says that it answers through nginx."""
        member = self.members.get(name)
        if member is None or member.child is None or member.life.status is not Status.STARTING:
            return
        took = self.now() - member.life.since
        self._say_held(member)
        self._become(member, life.serving(member.life, self.now()))
        self._board.say(news.SiteServes(name, self.urls(name), took))
        self._tell_ready()

    def urls(self, name: str) -> tuple[str, ...]:
        """Where people find the site, as far as that is known."""
        if name in self.parts:
            return self.parts[name].claim.urls
        plan = self.members[name].wanted.plan
        return plan.urls if plan else ()

    def follow(self) -> AbstractContextManager[Items]:
        """The news from now on."""
        return self._board.follow()

    def now(self) -> float:
        """The machine's time; a thread that plans, and a start that has no loop yet, see the same."""
        return time.monotonic()

    def _become(self, member: Member, new: life.Life) -> None:
        member.life = new
        self._wake.set()

    def _starting(self) -> int:
        return sum(one.life.status is Status.STARTING for one in self.members.values())

    def _start_due(self) -> None:
        now = self.now()
        due = [one for one in self.members.values() if one.life.due is not None and one.life.due <= now]
        for member in sorted(due, key=lambda one: one.life.due or 0.0)[: max(0, AT_ONCE - self._starting())]:
            self._start(member)

    def _start(self, member: Member) -> None:
        name = member.wanted.name
        set_booting(member.wanted, on=True)
        member.words = Lines(lambda line: self._hear(member, line))
        member.life = life.started(member.life, self.now())
        try:
            member.child = self._processes.start(
                f"site {name}",
                member.wanted.argv,
                lambda group: self._ended(member, group),
                cwd=".",
                env={},
                signals=_ENDS,
                reads_stderr=True,
                stdout=1,
            )
        except OSError as error:
            self._judge(member, 127, f"cannot be started: {error.strerror}")
        else:
            member.words.follow(member.child.stderr)

    def _hear(self, member: Member, line: str) -> None:
        """What a site says that is tried again is held back: its traceback was shown the first time."""
        if member.life.status is Status.STARTING and member.life.failures:
            member.held.append(line)
        else:
            self._board.say(news.SiteSaid(member.wanted.name, line))

    def _say_held(self, member: Member) -> None:
        held, member.held = member.held, []
        for line in held:
            self._board.say(news.SiteSaid(member.wanted.name, line))

    def _ended(self, member: Member, group: Child) -> None:
        if group is not member.child or group.code is None:
            return
        member.child = None
        self._judge(member, group.code, member.words.last() if member.words else "")

    def _judge(self, member: Member, code: int, words: str) -> None:
        """A supervisor has ended."""
        name = member.wanted.name
        set_booting(member.wanted, on=False)
        if words == member.life.reason:
            member.held = []
        self._say_held(member)
        was_leaving = member.life.status is Status.LEAVING
        self._become(member, life.ended(member.life, code, words, self.now()))
        if member.is_gone:
            self._forget(member)
        elif was_leaving:
            pass  # the gateway leaves, too
        elif member.life.status is Status.STOPPED:
            self._show_pages(member)
            self._board.say(news.SiteStopped(name))
        else:
            pause = (member.life.due or 0.0) - self.now()
            self._board.say(news.SiteDown(name, code, pause, member.life.failures))
        self._tell_ready()

    def _show_pages(self, member: Member) -> None:
        """A supervisor that left cleanly took the site's error pages along."""
        try:
            if member.wanted.plan:
                show_pages(member.wanted.plan)
        except OSError as error:
            self._say(news.Trouble(Problem(member.runtime, f"cannot be written: {error.strerror}")))

    def _forget(self, member: Member) -> None:
        name = member.wanted.name
        if self.members.get(name) is member:
            del self.members[name]
        clear_away(member.wanted)
        self._board.say(news.SiteStopped(name, is_gone=True))

    def _end_all(self, manner: Manner) -> None:
        for member in self.members.values():
            member.life = life.leaving(member.life, self.now())
            if member.child is not None:
                member.child.end(manner)

    def _stop_seconds(self) -> float:
        longest = max((one.claim.request_seconds for one in self.parts.values()), default=0.0)
        return Ladder.of(longest).stop_seconds

    # Which sites there are ------------------------------------------------------------------------------

    def _taken_in(
        self, wanted: Sequence[Wanted], open_already: Sequence[Any] | None
    ) -> tuple[dict[str, Member], dict[str, Part]]:
        """Members and parts as they are to be. A site that runs keeps its part: its own reload changes it."""
        members, parts, refused = (
            dict[str, Member](),
            dict[str, Part](),
            list[tuple[Wanted, Sequence[Problem]]](),
        )
        for one in wanted:
            known = self.members.get(one.name)
            if one.name in members:
                refused.append((_numbered(one, members), (_same_name(one, members[one.name].wanted),)))
                continue
            if known is not None and (known.child is not None or self._only not in ("", one.name)):
                members[one.name] = known
                parts |= {one.name: self.parts[one.name]} if one.name in self.parts else {}
                continue
            try:
                parts[one.name] = prepare(one, self.place.runtime)
                members[one.name] = Member(one, life.waiting(life.Life(), self.now()))
            except PorticoError as error:
                refused.append((one, error.problems))
        # Who serves keeps what it has: a newcomer that wants the same is refused, wherever it stands in the list.
        first_come = sorted(parts.values(), key=lambda part: members[part.claim.name].child is None)
        fit, more = acceptable(first_come, self.place, open_already)
        refused += _by_wanted(more, members)
        for one, problems in refused:
            reason = "\n".join(map(str, problems))
            members[one.name] = Member(one, life.refused(life.Life(), reason, self.now()))
        return members, {part.claim.name: part for part in fit}

    def _reconcile(self) -> None:
        """nginx serves the sites that were read again: start what is new, stop what is not wanted any more."""
        if self._next is None:
            return
        (members, parts), self._next = self._next, None
        # What a site did since they were read again counts: it was started, it changed its part.
        members |= {
            name: one
            for name, one in self.members.items()
            if one.child and name in parts and name in self.parts
        }
        parts |= {name: self.parts[name] for name in parts if members[name] is self.members.get(name)}
        before, self.members, self.parts = self.members, members, parts
        for name, member in before.items():
            if members.get(name) is member:
                continue
            if member.child is not None:
                self._send_away(member)
            elif name not in members:
                clear_away(member.wanted)
        for name, member in members.items():
            if before.get(name) is not member and member.life.status is Status.REFUSED:
                self._tell_refused(member)
        self._wake.set()

    def _send_away(self, member: Member) -> None:
        assert member.child is not None
        member.is_gone = True
        member.life = life.leaving(member.life, self.now())
        member.child.end(Manner.DRAIN)
        asyncio.get_running_loop().call_later(self._stop_seconds(), member.child.end, Manner.KILL)

    def _tell_refused(self, member: Member) -> None:
        problems = (Problem("", member.life.reason),)
        self._say(news.SiteRefused(member.wanted.name, member.wanted.origin, problems))

    def _tell_ready(self) -> None:
        """The gateway is ready when nginx is and every site was tried."""
        if self._ready is not None and all(one.life.is_tried for one in self.members.values()):
            ready, self._ready = self._ready, None
            self._say(ready)

    # A part that changes --------------------------------------------------------------------------------

    async def use(self, name: str, part: Part) -> tuple[Problem, ...]:
        """Have nginx serve this part of the site; what is in the way, then nothing has changed."""
        before = self.parts.get(name)
        if part == before or name not in self.members:
            return ()
        self.parts[name] = part
        problems = await self.reloaded(self.pump.tell)
        if problems and before is not None and self.parts.get(name) is part:
            self.parts[name] = before
        return problems

    async def left(self, name: str) -> None:
        """A site is being stopped: its pages stay, for the domains that it has now."""
        member = self.members[name]
        fresh = await in_background(lambda: [one for one in self._look() if one.name == name and one.plan])
        for wanted in (*fresh, member.wanted):
            try:
                part = waiting(wanted.plan) if wanted.plan else None
            except PorticoError:
                continue  # its certificate is none by now
            if part and not conflict(part, self.parts.values(), self.pending.values()):
                member.wanted = wanted
                await self.use(name, part)
                return

    async def reloaded(self, tell: Callable[[Event], None]) -> tuple[Problem, ...]:
        """Ask for a reload, and what was in its way."""
        with self._board.follow() as items:
            tell(was.ReloadAsked())
            async for item in until_reloaded(items):
                if isinstance(item, news.GenerationDropped):
                    return item.problems
        return ()

    # What it tells --------------------------------------------------------------------------------------

    async def status(self) -> list[dict[str, Any]]:
        """The sites, ready for JSON."""
        return await in_background(lambda: [self._told(one) for one in list(self.members.values())])

    def _told(self, member: Member) -> dict[str, Any]:
        now = self.now()
        pid = member.child.pid if member.child else None
        due = member.life.due
        return {
            "name": member.wanted.name,
            "origin": member.wanted.origin,
            "status": member.life.status,
            "urls": self.urls(member.wanted.name),
            "runtime": member.runtime,
            "pid": pid,
            "memory": proc.memory(pid) if pid else 0,
            "since_seconds": round(now - member.life.since, 3),
            "failures": member.life.failures,
            "code": member.life.code,
            "retry_seconds": None if due is None else round(max(0.0, due - now), 3),
            "reason": member.life.reason,
        }


def _same_name(one: Wanted, other: Wanted) -> Problem:
    what = f'is called "{one.name}", and so is {other.origin}'
    return Problem(one.origin, what, 'give one of the two another name: name = "..."')


def _numbered(one: Wanted, members: Mapping[str, Member]) -> Wanted:
    """Under a name of its own it can be listed, too."""
    number = next(number for number in range(2, len(members) + 3) if f"{one.name}#{number}" not in members)
    return replace(one, name=f"{one.name}#{number}", plan=None)


def _by_wanted(refused: Refused, members: Mapping[str, Member]) -> list[tuple[Wanted, Sequence[Problem]]]:
    return [(members[part.claim.name].wanted, problems) for part, problems in refused]
