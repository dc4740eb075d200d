"""The app servers of a running site: one per release, each with the socket that its requests wait at."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from portico.plan.model import Plan
from portico.run.gateway import files
from portico.run.processes import banner
from portico.run.processes import child as children
from portico.run.processes.child import Child
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets import switch
from portico.run.supervisor import debugger
from portico.run.supervisor.ahead import Aheads


class AppServers:
    """`ended` gets a release's number and its server's exit code; `start_again` starts one once more."""

    def __init__(
        self,
        processes: Processes,
        aheads: Aheads,
        say: SayNews,
        *,
        ended: Callable[[int, int], None],
        start_again: Callable[[int], None],
    ) -> None:
        self._processes, self._aheads = processes, aheads
        self._report_end, self._start_again = ended, start_again
        self._servers: dict[int, Child] = {}
        self._banners = banner.Banners(say)
        self._listeners: dict[int, socket.socket] = {}

    def start(self, plan: Plan, number: int) -> None:
        """Start the server of a release, or adopt the one that was started ahead. Raises OSError."""
        if self._takes_ahead(plan, number):
            return
        self._servers[number] = self._processes.start(
            f"server {number}",
            plan.server.at(str(files.directory(plan.runtime, number))),
            self._ended,
            cwd=plan.server.cwd,
            env=plan.server.env,
            secrets=debugger.secrets_of(plan),
            signals=children.app_server(plan.development is not None),
            listener=self._listener(plan, number),
            user=plan.server.user,
            reads_stderr=banner.is_read(plan),
            reads_terminal=plan.development is not None,
        )
        self._banners.follow(number, plan, self._servers[number])

    def get(self, number: int) -> Child | None:
        return self._servers.get(number)

    def pids(self) -> dict[int, int]:
        return {number: server.pid for number, server in self._servers.items()}

    def begin_ahead(self, number: int, draft: Plan) -> None:
        self._aheads.begin(draft, number, partial(self._processes.start, ended=self._ended))

    def end_ahead(self, number: int) -> bool:
        """Returns False if there is none."""
        return self._aheads.end(number)

    def has_answered(self, number: int) -> None:
        """A server that was started ahead is a normal one from now on."""
        self._aheads.forget(number)

    def hang_up(self, number: int) -> None:
        """Close the requests that wait for a server that has ended."""
        if listener := self._listeners.get(number):
            switch.hang_up(listener)

    def forget(self, number: int) -> None:
        self._aheads.end(number)
        self._servers.pop(number, None)
        if listener := self._listeners.pop(number, None):
            listener.close()

    def forget_all(self) -> None:
        """Forget all servers: they are ended elsewhere, without an event."""
        self._aheads.end_all()
        self._servers = {}

    def _takes_ahead(self, plan: Plan, number: int) -> bool:
        """Whether the server that was started ahead is the one that the plan would start; else it is ended."""
        adopt = partial(self._processes.adopt, ended=self._ended)
        if ahead := self._aheads.adopted(number, plan, adopt):
            self._servers[number], self._listeners[number] = ahead.child, ahead.listener
            self._banners.follow(number, plan, ahead.child)
        return ahead is not None

    def _listener(self, plan: Plan, number: int) -> socket.socket:
        if number in self._listeners:
            switch.restore(plan, number)
        else:
            self._listeners[number] = switch.listen(plan, number)
        return self._listeners[number]

    def _ended(self, group: Child) -> None:
        assert group.code is not None
        for number, server in list(self._servers.items()):
            if server is group and self._aheads.is_tried_again(number, group.code):
                self._start_again(number)
            elif server is group:
                self._banners.ended(number)
                self._report_end(number, group.code)
