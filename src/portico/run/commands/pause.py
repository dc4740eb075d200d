"""`portico pause`: requests wait in the socket's queue for a while and do not fail.

Every worker sees the flag, stops accepting, and confirms it (`link.pause`); it finishes its requests in progress.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from portico.app_servers.kind import Feature
from portico.errors import PorticoError, Problem
from portico.place import untrusted
from portico.plan.model import Plan
from portico.plan.paths import pause
from portico.protocol import notices
from portico.protocol.answers import PauseBegun
from portico.protocol.status import PauseStatus
from portico.run.processes import proc
from portico.run.running import Running, SayNews
from portico.run.sockets import drain
from portico.values import Duration, counted

_LOOK_SECONDS = 0.05
_SURE = 3
"""The number of looks in a row without a request in progress: a thread may have been about to accept."""
_MARGIN = 0.9
"""The share of the gateway's timeout: the first waiting request must still be answered after the pause."""


class Pause:
    """Allows one pause at a time."""

    def __init__(self, running: Running, say: SayNews) -> None:
        self._running, self._say = running, say
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.TimerHandle | None = None
        self.resume()  # ends a pause that a killed Portico left

    def left_seconds(self) -> float:
        """The seconds until the pause ends by itself; 0 if there is none."""
        return max(0.0, self._end.when() - self._loop.time()) if self._end else 0.0

    async def begin(self, length: str) -> PauseBegun:
        """Pause, and report when no request is in progress. Raises PorticoError if that is impossible."""
        self._refuse_impossible()
        seconds = self._seconds(length)
        self._make()
        self._end = timer = self._loop.call_later(seconds, lambda: self.resume(by_itself=True))
        self._nudge()
        looks = 0
        while self._end is timer:
            looks = looks + 1 if self._is_still() else 0
            if looks == _SURE:
                self._say(notices.Paused(self.left_seconds()))
                return PauseBegun(self._requests(drain.QUEUED), self.left_seconds())
            await asyncio.sleep(_LOOK_SECONDS)
        left = self._requests(drain.ACCEPTED)
        raise PorticoError(
            Problem(
                "", f"not paused: {counted(left, 'request')} still in progress when the pause ended", _LONGER
            )
        )

    def _make(self) -> None:
        """Create the directory with the flag. Workers put their own files in it, and cannot remove the flag."""
        directory, user = self._directory, self._running.in_force.server.user
        try:
            directory.mkdir()
        except FileExistsError:
            return  # a pause is active; its directory holds the workers' files, so no new flag is made
        (directory / "on").touch()
        if user:
            shutil.chown(directory, group=pwd.getpwnam(user).pw_gid)
            directory.chmod(0o1771)

    def resume(self, *, by_itself: bool = False) -> bool:
        """End the pause now; returns whether there was one."""
        was_paused, self._end = self._end, None
        gone = self._directory.with_name(f"{self._directory.name}.gone")
        untrusted.remove_tree(gone)
        with suppress(OSError):
            self._directory.rename(gone)  # atomic: the app's user could delay a removal
        untrusted.remove_tree(gone)
        if was_paused:
            was_paused.cancel()
            self._nudge()
            self._say(notices.Resumed(by_itself))
        return was_paused is not None

    def status(self) -> PauseStatus | None:
        """The time of its end; None if there is no pause."""
        return None if self._end is None else PauseStatus(round(self.left_seconds(), 3))

    @property
    def _directory(self) -> Path:
        return Path(pause(self._running.in_force.runtime))

    def _refuse_impossible(self) -> None:
        if self._end:
            raise PorticoError(Problem("", "it is already paused", "portico resume ends that"))
        for plan in self._running.plans.values():
            if why := _why_not(plan):
                raise PorticoError(
                    Problem("", f"this site cannot be paused: {why}", "portico maintenance on can")
                )

    def _seconds(self, length: str) -> float:
        timeout = min(plan.ladder.read_seconds for plan in self._running.plans.values())
        if not length:
            return timeout / 2
        try:
            seconds = Duration.parse(length)
        except ValueError as error:
            raise PorticoError(Problem("--for", str(error))) from None
        if not 0 < seconds <= timeout * _MARGIN:
            program = self._running.in_force.gateway.name
            what = f"{length} is too long: {program} answers 504 after {timeout:g} s (request_timeout)"
            raise PorticoError(Problem("--for", what, f"at most {timeout * _MARGIN:g}s"))
        return seconds

    def _is_still(self) -> bool:
        workers = self._workers()
        return all((self._directory / str(pid)).exists() for pid in workers) and not self._requests(
            drain.ACCEPTED
        )

    def _requests(self, state: str) -> int:
        plans = self._running.plans.items()
        return drain.requests(frozenset(plan.release_socket(number) for number, plan in plans), state)

    def _nudge(self) -> None:
        for pid in self._workers():
            try:
                os.kill(pid, signal.SIGWINCH)
            except ProcessLookupError:
                pass  # it has just exited

    def _workers(self) -> list[int]:
        servers = {pid for number, pid in self._running.pids().items() if number}
        return [entry.pid for entry in proc.children_of(servers)]


_LONGER = "see what takes so long (portico status), or pause for longer: --for"


def _why_not(plan: Plan) -> str:
    if not plan.has_app or plan.upstream is not None:
        return "other servers answer, too"
    kind = plan.app_server
    if Feature.PAUSE in kind.features:
        return ""
    return "only Portico's own worker can wait" if kind.worker else f"{kind.title}'s workers go on accepting"
