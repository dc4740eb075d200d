"""Runs the watchers beside the serving: a failure in one never ends the serving, and the watcher is restarted.

A watcher is an endless sequence of rounds. After each it reports which of its objects failed: those are
retried in its next round, and the others were checked all the same. An error that ends a watcher is reported, and
the watcher restarts after a delay.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

from portico.errors import PorticoError
from portico.protocol import notices
from portico.protocol.status import WatcherStatus
from portico.run.watchers import failures
from portico.ticks import Rounds


class Watcher(NamedTuple):
    """Each call of `rounds` restarts it. The name is shown to people: "the log files"."""

    name: str
    rounds: Callable[[], Rounds]


class Watchers:
    """All watchers of one run. `say` gets new failures and recoveries."""

    def __init__(self, say: Callable[[notices.Notice], None]) -> None:
        self._say = say
        self._failures: failures.Failures = {}

    async def run(self, watcher: Watcher) -> None:
        """Runs forever, or until the watcher has nothing to check."""
        while True:
            try:
                async with aclosing(watcher.rounds()) as rounds:
                    async for wrong in rounds:
                        self._looked(watcher.name, wrong)
                return
            except Exception as error:  # noqa: BLE001  whatever it is, it is reported and tried again
                pause = self._failed(watcher.name, error)
            await asyncio.sleep(pause)

    def status(self) -> tuple[WatcherStatus, ...]:
        """The current failures."""
        return tuple(
            WatcherStatus(
                name, one.error, since=round(one.since, 3), last=round(one.at, 3), failures=one.count,
                next_try=None if one.due is None else round(one.due, 3),
            )
            for name, one in sorted(self._failures.items())
        )  # fmt: skip

    def _failed(self, name: str, error: Exception) -> float:
        """The delay in seconds."""
        now = time.time()
        self._become(failures.failed(self._failures, name, words(error), now))
        return (self._failures[name].due or now) - now

    def _looked(self, name: str, wrong: Mapping[str, Exception]) -> None:
        if not wrong and not self._failures:
            return  # the usual case
        failed = {item: words(error) for item, error in wrong.items()}
        self._become(failures.looked(self._failures, name, failed, time.time()))
        if any(one.is_well for one in self._failures.values()):
            asyncio.get_running_loop().call_later(failures.STEADY_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Report recoveries, also those of a watcher whose next round is far away."""
        self._become(failures.swept(self._failures, time.time()))

    def _become(self, after: failures.Failures) -> None:
        before, self._failures = self._failures, after
        for name, one in after.items():
            if name not in before or before[name].error != one.error:
                pause = None if one.due is None else one.due - one.at
                self._say(notices.WatcherFailed(name, one.error, pause))
        for name in before.keys() - after.keys():
            self._say(notices.WatcherRecovered(name, time.time() - before[name].since))


def words(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, PorticoError):
        return "; ".join(str(problem).partition("\n")[0] for problem in error.problems)
    return f"{type(error).__name__}: {error}".partition("\n")[0]
