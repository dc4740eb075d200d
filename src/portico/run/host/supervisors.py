"""One supervisor per site, as a child process: starts those that are due, reads their output, ends and restarts
them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

from portico.errors import Problem
from portico.place.tools import of_tools
from portico.protocol import notices
from portico.run.broadcast import Broadcast
from portico.run.host import state
from portico.run.host.hosted import HostedSite, clear_away, set_booting, set_down, show_pages
from portico.run.host.state import Status
from portico.run.machine.action import StopMode
from portico.run.processes import child
from portico.run.processes.child import Child
from portico.run.processes.stderr import Lines
from portico.run.processes.table import Processes
from portico.ticks import WELL, Rounds

AT_ONCE = 4
"""How many supervisors start at the same time: importing an app uses a core for a second."""
_ENDS = child.Signals(drain=signal.SIGTERM, hurry=signal.SIGTERM)
"""A second SIGTERM tells a Portico to hurry."""


class Supervisors:
    """The supervisors of the hosted sites; `run.host.sites` decides about the list of sites.

    `tried` is called when the outcome of a site's start is known; `stop_seconds` is the time limit for a stop.
    """

    def __init__(self, tried: Callable[[], None], stop_seconds: Callable[[], float]) -> None:
        self.hosted_sites: dict[str, HostedSite] = {}
        self._tried, self._stop_seconds = tried, stop_seconds
        self._all_end = False
        self._wake = asyncio.Event()

    def join(self, processes: Processes, broadcast: Broadcast) -> None:
        """Called when the loop runs."""
        self._processes, self._broadcast = processes, broadcast
        self._start_due()

    def now(self) -> float:
        """The machine's time; the same for a planning thread, and for a start without a loop."""
        return time.monotonic()

    async def watch(self) -> Rounds:
        """Start due sites, forever."""
        while True:
            self._start_due()
            yield WELL
            self._wake.clear()
            dues = [one.state.due for one in self.hosted_sites.values() if one.state.due is not None]
            is_full = self._starting() >= AT_ONCE
            try:
                async with asyncio.timeout_at(None if is_full else min(dues, default=None)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """Sites have changed: check again which are due."""
        self._wake.set()

    def serves(self, name: str, urls: tuple[str, ...]) -> None:
        """Its supervisor reports that it answers through the gateway."""
        hosted = self.hosted_sites.get(name)
        if hosted is None or hosted.child is None or hosted.state.status is not Status.STARTING:
            return
        took = self.now() - hosted.state.since
        self._say_held(hosted)
        self._become(hosted, state.serving(hosted.state, self.now()))
        self._broadcast.say(notices.SiteServes(name, urls, took))
        self._tried()

    def halt(self, hosted: HostedSite) -> None:
        """A user stops a site that does not serve: it is not started again until a user asks for it."""
        if hosted.child is not None:
            hosted.state = state.leaving(hosted.state, self.now())
            hosted.child.end(StopMode.HURRY)
        elif hosted.state.due is not None:
            self._become(hosted, state.stopped(hosted.state, self.now()))
            self._broadcast.say(notices.SiteStopped(hosted.desired.name))
            self._tried()

    def send_away(self, hosted: HostedSite) -> None:
        """Stop a running site that was removed."""
        assert hosted.child is not None
        hosted.is_gone = True
        hosted.state = state.leaving(hosted.state, self.now())
        hosted.child.end(StopMode.DRAIN)
        asyncio.get_running_loop().call_later(self._stop_seconds(), hosted.child.end, StopMode.KILL)

    async def leave(self) -> None:
        """The gateway has exited: the sites finish their requests. A signal hurries them."""
        loop, seconds = asyncio.get_running_loop(), self._stop_seconds()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end_all, StopMode.HURRY)
        self._end_all(StopMode.DRAIN)
        deadline = loop.time() + seconds
        while any(one.child for one in self.hosted_sites.values()) and loop.time() < deadline:
            await asyncio.sleep(0.02)
        for one in self.hosted_sites.values():
            if one.child is None:
                clear_away(one.desired)

    def _end_all(self, mode: StopMode) -> None:
        self._all_end = True
        for hosted in self.hosted_sites.values():
            hosted.state = state.leaving(hosted.state, self.now())
            if hosted.child is not None:
                hosted.child.end(mode)

    def _become(self, hosted: HostedSite, new: state.SiteState) -> None:
        hosted.state = new
        self._wake.set()

    def _starting(self) -> int:
        return sum(one.state.status is Status.STARTING for one in self.hosted_sites.values())

    def _start_due(self) -> None:
        now = self.now()
        due = [
            one for one in self.hosted_sites.values() if one.state.due is not None and one.state.due <= now
        ]
        for hosted in sorted(due, key=lambda one: one.state.due or 0.0)[: max(0, AT_ONCE - self._starting())]:
            self._start(hosted)

    def _start(self, hosted: HostedSite) -> None:
        name = hosted.desired.name
        set_booting(hosted.desired, on=True)
        hosted.words = Lines(lambda line: self._hear(hosted, line))
        hosted.state = state.started(hosted.state, self.now())
        try:
            hosted.child = self._processes.start(
                f"site {name}",
                hosted.desired.argv,
                lambda group: self._ended(hosted, group),
                cwd=".",
                env={
                    variable: os.environ[variable] for variable in of_tools(os.environ)
                },  # it reports that itself
                signals=_ENDS,
                reads_stderr=True,
                stdout=1,
            )
        except Exception as error:  # noqa: BLE001  one site that cannot be started does not hold up the others
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self._judge(hosted, 127, f"cannot be started: {why}")
        else:
            hosted.words.follow(hosted.child.stderr)

    def _hear(self, hosted: HostedSite, line: str) -> None:
        """The output of a retried site is held back: its traceback was shown the first time."""
        if hosted.state.status is Status.STARTING and hosted.state.failures:
            hosted.held.append(line)
        else:
            self._broadcast.say(notices.SiteSaid(hosted.desired.name, line))

    def _say_held(self, hosted: HostedSite) -> None:
        held, hosted.held = hosted.held, []
        for line in held:
            self._broadcast.say(notices.SiteSaid(hosted.desired.name, line))

    def _ended(self, hosted: HostedSite, group: Child) -> None:
        if group is not hosted.child or group.code is None:
            return
        hosted.child = None
        self._judge(hosted, group.code, hosted.words.last() if hosted.words else "")

    def _judge(self, hosted: HostedSite, code: int, words: str) -> None:
        """A supervisor has ended."""
        name = hosted.desired.name
        set_down(hosted.desired)
        if words == hosted.state.reason:
            hosted.held = []
        self._say_held(hosted)
        self._become(hosted, state.ended(hosted.state, code, words, self.now()))
        if hosted.is_gone:
            self._forget(hosted)
        elif self._all_end:
            pass
        elif hosted.state.status is Status.STOPPED:
            self._show_pages(hosted)
            self._broadcast.say(notices.SiteStopped(name))
        else:
            now = hosted.state
            pause = (now.due or 0.0) - self.now()
            self._broadcast.say(notices.SiteDown(name, code, pause, now.failures, now.reason))
        self._tried()

    def _show_pages(self, hosted: HostedSite) -> None:
        """Restore the error pages: a supervisor that exited cleanly removed them."""
        plan = hosted.desired.plan
        try:
            if plan:
                show_pages(plan)
        except OSError as error:
            where = plan.runtime if plan else ""
            self._broadcast.say(notices.Trouble(Problem(where, f"cannot be written: {error.strerror}")))

    def _forget(self, hosted: HostedSite) -> None:
        name = hosted.desired.name
        if self.hosted_sites.get(name) is hosted:
            del self.hosted_sites[name]
        clear_away(hosted.desired)
        self._broadcast.say(notices.SiteStopped(name, is_gone=True))
