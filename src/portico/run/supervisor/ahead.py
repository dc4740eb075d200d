"""App servers that begin to import the app while the app is being asked: the time of one import instead of two.

Most of what an app server is started with does not depend on the app's answers. So it is started with what is known
before, on a guess. When the answers are there and it would be started just so, it stays; else it is ended and started
again. Until then a worker that cannot load the app waits in silence (`link.ahead`): what is wrong is said once, by who
was asked. What fails while several import at once is tried again alone, because some apps make their tables then.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portico.app_servers.kind import Feature
from portico.link.gunicorn.ahead import VARIABLE
from portico.plan.model import CONF, Plan
from portico.plan.paths import workers
from portico.run.gateway import files
from portico.run.machine.action import StopMode
from portico.run.processes import banner, orphans
from portico.run.processes import child as children
from portico.run.processes.child import Child
from portico.run.sockets import switch

_ENDED_SECONDS = 2.0

Launch = Callable[..., Child]
"""As `child.start`."""
Begin = Callable[[Plan], Callable[[], bool]]
"""Begins on a draft of a plan; what it returns ends that again, and says whether there was anything."""


@dataclass(frozen=True)
class Ahead:
    """An app server that was started before its plan was known; `draft` is what was."""

    draft: Plan
    child: Child
    listener: socket.socket
    flag: Path

    def suits(self, plan: Plan) -> bool:
        """Whether it is what the plan would start, and nothing has failed in it."""
        failed = Path(workers(plan.runtime), f"{self.child.pid}-failed.json")
        is_well = self.child.process.poll() is None if self.child.code is None else False
        return is_well and not failed.exists() and _words(self.draft) == _words(plan)

    def let_go(self) -> None:
        """It stays, or it is gone: nobody waits any more."""
        self.flag.unlink(missing_ok=True)

    def end(self) -> None:
        """It has begun nothing that must be finished."""
        self.child.end(StopMode.KILL)
        if self.child.stderr:
            self.child.stderr.close()
        self.listener.close()
        self.let_go()


def _words(plan: Plan) -> tuple[object, ...]:
    """Everything that its app server is given."""
    named = {word.removeprefix(f"{CONF}/") for word in plan.server.argv if CONF in word}
    texts = [file.content for file in plan.files if file.path in named]
    return plan.server, texts, plan.socket, plan.socket_group, plan.backlog


class Aheads:
    """Those that were started ahead, by the number of their release."""

    def __init__(self) -> None:
        self._begun: dict[int, Ahead] = {}
        self._adopted: dict[int, frozenset[int]] = {}
        """The exit codes after which each is tried again."""

    def begin(self, draft: Plan, number: int, launch: Launch) -> None:
        """Start one, where that can be; it is only a head start."""
        if Feature.AHEAD not in draft.app_server.features:
            return
        flag = Path(draft.runtime) / f"ahead-{number}"
        with suppress(OSError):
            flag.touch(0o644)
            files.write_server(draft, number)
            listener = switch.listen(draft, number)
            try:
                started = launch(
                    f"server {number}",
                    draft.server.at(str(files.directory(draft.runtime, number))),
                    cwd=draft.server.cwd,
                    env={**draft.server.env, VARIABLE: str(flag)},
                    signals=children.APP_SERVER,
                    listener=listener,
                    user=draft.server.user,
                    reads_stderr=banner.is_read(draft),
                )
            except OSError:
                listener.close()
                raise
            self._begun[number] = Ahead(draft, started, listener, flag)

    def take(self, number: int) -> Ahead | None:
        """That of the release, which is the caller's from now on."""
        return self._begun.pop(number, None)

    def adopted(self, number: int, plan: Plan, adopt: Callable[[Child], None]) -> Ahead | None:
        """That of the release when it is what the plan would start; else it is ended. Both are `adopt`ed."""
        ahead = self.take(number)
        if ahead is None:
            return None
        adopt(ahead.child)
        if not ahead.suits(plan):
            ahead.end()
            return None
        ahead.let_go()
        self._adopted[number] = plan.app_server.cannot_load
        return ahead

    def is_tried_again(self, number: int, code: int) -> bool:
        """Whether an adopted server that ended so is started once more: others imported at the same time."""
        return code in self._adopted.pop(number, ())

    def forget(self, number: int) -> None:
        """It has answered: what it does from now on is its own."""
        self._adopted.pop(number, None)

    def end(self, number: int) -> bool:
        """End that of the release; False when there is none."""
        ahead = self.take(number)
        if ahead is not None:
            ahead.end()
        return ahead is not None

    @property
    def children(self) -> list[Child]:
        return [one.child for one in self._begun.values()]

    def end_all(self) -> None:
        for number in list(self._begun):
            self.end(number)


def begin_first(aheads: Aheads, draft: Plan, number: int) -> None:
    """Before there is a loop that collects children; `end_first` is its end."""
    aheads.begin(draft, number, children.start)
    orphans.record(draft.runtime, aheads.children)


def end_first(aheads: Aheads, number: int) -> bool:
    """End it, and wait until it is gone; False when there is none."""
    ahead = aheads.take(number)
    if ahead is None:
        return False
    ahead.end()
    give_up = time.monotonic() + _ENDED_SECONDS
    while not ahead.child.group_is_gone and time.monotonic() < give_up:
        ahead.child.reap()
        time.sleep(0.005)
    orphans.forget(ahead.draft.runtime)
    switch.forget(ahead.draft, number)
    shutil.rmtree(files.directory(ahead.draft.runtime, number), ignore_errors=True)
    return True
