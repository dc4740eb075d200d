"""Starts app servers while the app is still being inspected, so that a start takes one import time and not two.

Most arguments of an app server do not depend on the app's facts. So it is started early with those known. If the
final plan would start it in the same way, it stays; else it is ended and started again. Until then a worker that
cannot load the app waits silently (`link.ahead`): the inspection reports the error once. An import that fails
beside others is tried again alone, because some apps create their tables at import.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.link.gunicorn.ahead import VARIABLE
from portico.plan.files import CONF
from portico.plan.model import Plan
from portico.plan.paths import workers
from portico.run.gateway import files
from portico.run.machine.action import StopMode
from portico.run.processes import banner, orphans
from portico.run.processes import child as children
from portico.run.processes.child import Child
from portico.run.sockets import switch
from portico.run.supervisor import debugger

_ENDED_SECONDS = 2.0

Launch = Callable[..., Child]
"""The same as `child.start`."""
Begin = Callable[[Plan], Callable[[], bool]]
"""Starts on a draft of a plan; the result ends it again, and returns whether there was anything to end."""


class Ahead(Struct, frozen=True):
    """An app server that was started before its plan was known; `draft` is the plan so far."""

    draft: Plan
    child: Child
    listener: socket.socket
    flag: Path

    def suits(self, plan: Plan) -> bool:
        """Whether the plan would start the same server, and nothing in it has failed."""
        failed = Path(workers(plan.runtime), f"{self.child.pid}-failed.json")
        is_well = self.child.process.poll() is None if self.child.code is None else False
        return is_well and not failed.exists() and _words(self.draft) == _words(plan)

    def let_go(self) -> None:
        """It was adopted or has ended: its workers stop waiting."""
        self.flag.unlink(missing_ok=True)

    def end(self) -> None:
        """End it: it has started nothing that must be finished."""
        self.child.end(StopMode.KILL)
        if self.child.stderr:
            self.child.stderr.close()
        self.listener.close()
        self.let_go()


def _words(plan: Plan) -> tuple[object, ...]:
    """Everything that its app server gets."""
    named = {word.removeprefix(f"{CONF}/") for word in plan.server.argv if CONF in word}
    texts = [file.content for file in plan.files if file.path in named]
    return plan.server, texts, plan.socket, plan.socket_group, plan.backlog


class Aheads:
    """The servers that were started ahead, by the number of their release."""

    def __init__(self) -> None:
        self._begun: dict[int, Ahead] = {}
        self._adopted: dict[int, frozenset[int]] = {}
        """The exit codes after which each is tried again."""

    def begin(self, draft: Plan, number: int, launch: Launch) -> None:
        """Start one if possible; it only saves time."""
        if Feature.AHEAD not in draft.app_server.features or draft.before:
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
                    secrets=debugger.secrets_of(draft),
                    signals=children.app_server(draft.development is not None),
                    listener=listener,
                    user=draft.server.user,
                    reads_stderr=banner.is_read(draft),
                    reads_terminal=draft.development is not None,
                )
            except OSError:
                listener.close()
                raise
            self._begun[number] = Ahead(draft, started, listener, flag)

    def take(self, number: int) -> Ahead | None:
        """The server of the release, which the caller owns from now on."""
        return self._begun.pop(number, None)

    def adopted(self, number: int, plan: Plan, adopt: Callable[[Child], None]) -> Ahead | None:
        """The server of the release if the plan would start the same; else it is ended. Both are `adopt`ed."""
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
        """Whether to start an adopted server with this exit code once more: others imported at the same time."""
        return code in self._adopted.pop(number, ())

    def forget(self, number: int) -> None:
        """It has answered: later failures are its own."""
        self._adopted.pop(number, None)

    def end(self, number: int) -> bool:
        """End the server of the release; False if there is none."""
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
    """For the time before a loop reaps children; `end_first` ends it."""
    aheads.begin(draft, number, children.start)
    orphans.record(draft.runtime, aheads.children)


def end_first(aheads: Aheads, number: int) -> bool:
    """End it, and wait for its exit; False if there is none."""
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
