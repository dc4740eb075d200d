"""A supervisor for each site, as a child process: started when it is due, listened to, ended, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

from portico.errors import Problem
from portico.place.tools import of_tools
from portico.run import notices
from portico.run.host import state
from portico.run.host.member import Member, clear_away, set_booting, show_pages
from portico.run.host.state import Status
from portico.run.machine.action import StopMode
from portico.run.processes import child
from portico.run.processes.child import Child
from portico.run.processes.stderr import Lines
from portico.run.processes.table import Processes
from portico.run.supervisor.broadcast import Broadcast
from portico.ticks import WELL, Rounds

AT_ONCE = 4
"""Supervisors that start at the same time: importing an app takes a core for a second."""
_ENDS = child.Signals(drain=signal.SIGTERM, hurry=signal.SIGTERM)
"""To a Portico, a second SIGTERM says to hurry."""


class Supervisors:
    """Of the members, which are changed by who decides which sites there are (`run.host.sites`).

    `tried` is called when it is known of one more how its start went; `stop_seconds` is what one has to leave.
    """

    def __init__(self, tried: Callable[[], None], stop_seconds: Callable[[], float]) -> None:
        self.members: dict[str, Member] = {}
        self._tried, self._stop_seconds = tried, stop_seconds
        self._all_end = False
        self._wake = asyncio.Event()

    def join(self, processes: Processes, broadcast: Broadcast) -> None:
        """The loop runs."""
        self._processes, self._broadcast = processes, broadcast
        self._start_due()

    def now(self) -> float:
        """The machine's time; a thread that plans, and a start that has no loop yet, see the same."""
        return time.monotonic()

    async def watch(self) -> Rounds:
        """Start what is due, for ever."""
        while True:
            self._start_due()
            yield WELL
            self._wake.clear()
            dues = [one.state.due for one in self.members.values() if one.state.due is not None]
            is_full = self._starting() >= AT_ONCE
            try:
                async with asyncio.timeout_at(None if is_full else min(dues, default=None)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """Members have changed: look again what is due."""
        self._wake.set()

    def serves(self, name: str, urls: tuple[str, ...]) -> None:
        """Its supervisor says that it answers through nginx."""
        member = self.members.get(name)
        if member is None or member.child is None or member.state.status is not Status.STARTING:
            return
        took = self.now() - member.state.since
        self._say_held(member)
        self._become(member, state.serving(member.state, self.now()))
        self._broadcast.say(notices.SiteServes(name, urls, took))
        self._tried()

    def halt(self, member: Member) -> None:
        """Somebody stops a site that does not serve: it is not started, or not tried again, until that is asked for."""
        if member.child is not None:
            member.state = state.leaving(member.state, self.now())
            member.child.end(StopMode.HURRY)
        elif member.state.due is not None:
            self._become(member, state.stopped(member.state, self.now()))
            self._broadcast.say(notices.SiteStopped(member.wanted.name))
            self._tried()

    def send_away(self, member: Member) -> None:
        """It runs, and is not wanted any more."""
        assert member.child is not None
        member.is_gone = True
        member.state = state.leaving(member.state, self.now())
        member.child.end(StopMode.DRAIN)
        asyncio.get_running_loop().call_later(self._stop_seconds(), member.child.end, StopMode.KILL)

    async def leave(self) -> None:
        """nginx has left: the sites finish what they have. A signal hurries them."""
        loop, seconds = asyncio.get_running_loop(), self._stop_seconds()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end_all, StopMode.HURRY)
        self._end_all(StopMode.DRAIN)
        deadline = loop.time() + seconds
        while any(one.child for one in self.members.values()) and loop.time() < deadline:
            await asyncio.sleep(0.02)
        for one in self.members.values():
            if one.child is None:
                clear_away(one.wanted)

    def _end_all(self, mode: StopMode) -> None:
        self._all_end = True
        for member in self.members.values():
            member.state = state.leaving(member.state, self.now())
            if member.child is not None:
                member.child.end(mode)

    def _become(self, member: Member, new: state.SiteState) -> None:
        member.state = new
        self._wake.set()

    def _starting(self) -> int:
        return sum(one.state.status is Status.STARTING for one in self.members.values())

    def _start_due(self) -> None:
        now = self.now()
        due = [one for one in self.members.values() if one.state.due is not None and one.state.due <= now]
        for member in sorted(due, key=lambda one: one.state.due or 0.0)[: max(0, AT_ONCE - self._starting())]:
            self._start(member)

    def _start(self, member: Member) -> None:
        name = member.wanted.name
        set_booting(member.wanted, on=True)
        member.words = Lines(lambda line: self._hear(member, line))
        member.state = state.started(member.state, self.now())
        try:
            member.child = self._processes.start(
                f"site {name}",
                member.wanted.argv,
                lambda group: self._ended(member, group),
                cwd=".",
                env={
                    variable: os.environ[variable] for variable in of_tools(os.environ)
                },  # it says so itself
                signals=_ENDS,
                reads_stderr=True,
                stdout=1,
            )
        except Exception as error:  # noqa: BLE001  one site that cannot be started does not hold up the others
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self._judge(member, 127, f"cannot be started: {why}")
        else:
            member.words.follow(member.child.stderr)

    def _hear(self, member: Member, line: str) -> None:
        """What a site says that is tried again is held back: its traceback was shown the first time."""
        if member.state.status is Status.STARTING and member.state.failures:
            member.held.append(line)
        else:
            self._broadcast.say(notices.SiteSaid(member.wanted.name, line))

    def _say_held(self, member: Member) -> None:
        held, member.held = member.held, []
        for line in held:
            self._broadcast.say(notices.SiteSaid(member.wanted.name, line))

    def _ended(self, member: Member, group: Child) -> None:
        if group is not member.child or group.code is None:
            return
        member.child = None
        self._judge(member, group.code, member.words.last() if member.words else "")

    def _judge(self, member: Member, code: int, words: str) -> None:
        """A supervisor has ended."""
        name = member.wanted.name
        set_booting(member.wanted, on=False)
        if words == member.state.reason:
            member.held = []
        self._say_held(member)
        self._become(member, state.ended(member.state, code, words, self.now()))
        if member.is_gone:
            self._forget(member)
        elif self._all_end:
            pass
        elif member.state.status is Status.STOPPED:
            self._show_pages(member)
            self._broadcast.say(notices.SiteStopped(name))
        else:
            pause = (member.state.due or 0.0) - self.now()
            self._broadcast.say(notices.SiteDown(name, code, pause, member.state.failures))
        self._tried()

    def _show_pages(self, member: Member) -> None:
        """A supervisor that left cleanly took the site's error pages along."""
        plan = member.wanted.plan
        try:
            if plan:
                show_pages(plan)
        except OSError as error:
            where = plan.runtime if plan else ""
            self._broadcast.say(notices.Trouble(Problem(where, f"cannot be written: {error.strerror}")))

    def _forget(self, member: Member) -> None:
        name = member.wanted.name
        if self.members.get(name) is member:
            del self.members[name]
        clear_away(member.wanted)
        self._broadcast.say(notices.SiteStopped(name, is_gone=True))
