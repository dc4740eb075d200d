"""Check the servers of the upstream: remove failing ones, restore healthy ones, drain those that a user names.

The decisions are pure: a state and an answer give the next state. They change one file of server lines
that the gateway includes: it is tested, replaced by a rename, and the gateway reloads it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import time
from collections.abc import AsyncGenerator, Callable, Collection
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.place import untrusted
from portico.plan.subjects import Upstream, UpstreamServer
from portico.protocol import notices
from portico.protocol.answers import DrainStep
from portico.protocol.commands import DrainServer
from portico.protocol.notices import Notice
from portico.protocol.status import ServerStatus
from portico.run.background import in_background
from portico.run.machine.words import not_through
from portico.run.running import Running
from portico.run.sockets import drain
from portico.run.upstream.ask import ask
from portico.run.upstream.health import Answer
from portico.run.upstream.names import LOOK_UPS, Names, seen
from portico.ticks import WELL, Round, Rounds, tick

OUT_AFTER, BACK_AFTER = 2, 2
"""Consecutive answers: one may be a lost packet, or a server that has just started."""
ASK_SECONDS = 2.0
"""A server whose health path takes longer than this is too slow for users."""
NONE_SECONDS = 2.0
"""A site without servers to check only wakes up to see whether a reload added some."""
IDLE_SECONDS = 0.5
LOOK_SECONDS = 0.1
IDLE_CLIENTS_SECONDS = 15.0
"""nginx's old workers keep idle clients for 10 s (`keepalive_min_timeout`), and each may have one more request."""
DRAINED_FILE = "drained.json"
"""In the state directory: the names of the servers that a user drained."""


class Server(Struct, frozen=True):
    """The state of one server. `good` and `bad` count the last consecutive answers of that kind."""

    name: str
    is_out: bool = False
    is_drained: bool = False
    good: int = 0
    bad: int = 0
    answer: str = ""
    since: float = 0.0

    @property
    def gets_requests(self) -> bool:
        return not (self.is_out or self.is_drained)


Servers = tuple[Server, ...]


def known(servers: Servers, names: Collection[str]) -> Servers:
    """The servers of these names, with their known state; at least one keeps getting requests."""
    before = {server.name: server for server in servers}
    kept = tuple(before.get(name, Server(name)) for name in names)
    if kept and not any(server.gets_requests for server in kept):
        return tuple(replace(server, is_out=False, is_drained=False) for server in kept)
    return kept


def heard(servers: Servers, name: str, answer: Answer, now: float) -> Servers:
    """One server has answered. The last server with requests keeps getting them."""
    return tuple(
        _judged(server, answer, now, is_last=_is_last(servers, server)) if server.name == name else server
        for server in servers
    )


def drained(servers: Servers, name: str, now: float, *, undo: bool = False) -> Servers:
    """Stop or resume requests for that server. Raises PorticoError if that is impossible."""
    server = next((server for server in servers if server.name == name), None)
    if server is None:
        names = ", ".join(server.name for server in servers)
        raise PorticoError(
            Problem("", f'no server is called "{name}"', f"there are: {names}" if names else _NONE)
        )
    if not undo and _is_last(servers, server):
        hint = "bring another one back first"
        raise PorticoError(Problem("", f"{name} is the last server that gets requests", hint))
    changed = replace(server, is_drained=not undo, since=now)
    return tuple(changed if other is server else other for other in servers)


def without_requests(servers: Servers) -> frozenset[str]:
    return frozenset(server.name for server in servers if not server.gets_requests)


def without_app(problem: Problem, program: str) -> Problem:
    """The same problem for a site that runs no app: its servers did not answer well."""
    if problem.what != not_through(program):
        return problem
    return dataclasses.replace(problem, what=f"no server of [upstream] answers well through {program}")


_NONE = "there are no servers to choose from: the local app answers alone"


def _is_last(servers: Servers, server: Server) -> bool:
    return [other for other in servers if other.gets_requests] == [server]


def _judged(server: Server, answer: Answer, now: float, *, is_last: bool) -> Server:
    if answer.is_well:
        server = replace(server, good=server.good + 1, bad=0, answer=str(answer))
        is_back = server.is_out and server.good >= BACK_AFTER
        return replace(server, is_out=False, since=now) if is_back else server
    server = replace(server, good=0, bad=server.bad + 1, answer=str(answer))
    if server.is_out or server.bad < OUT_AFTER or is_last:
        return server
    return replace(server, is_out=True, since=now)


class Balanced(Running, Protocol):
    """A running site whose gateway balances requests among servers."""

    out: frozenset[str]
    """The servers that get no requests."""

    def gateway_workers(self) -> frozenset[int]:
        """The pids of the gateway's workers, including those that are leaving."""

    async def take_out(self, out: frozenset[str]) -> None:
        """Send no more requests to these servers. Raises PorticoError if the gateway rejects that."""


class Upstreams:
    """The servers of a running site. `is_serving` says whether the gateway runs."""

    def __init__(
        self, running: Balanced, say: Callable[[Notice], None], is_serving: Callable[[], bool]
    ) -> None:
        self._running, self._say, self._is_serving = running, say, is_serving
        self._drained_file = Path(running.in_force.state) / DRAINED_FILE
        self.servers: Servers = tuple(Server(name, is_drained=True) for name in _read(self._drained_file))
        self._upstream()
        self._untold = tuple(server.name for server in self.servers if server.is_drained)
        running.out = without_requests(self.servers)
        self._changing = asyncio.Lock()
        self._trouble: Problem | None = None
        self._names = Names()

    async def watch(self) -> Rounds:
        """Check them all, forever; before that, report those that were drained when Portico last ran."""
        untold, self._untold = self._untold, ()
        for name in untold:
            self._say(notices.ServerDrained(name))
        while True:
            upstream = self._upstream()
            if upstream is None or not upstream.check_seconds or not self._is_serving():
                yield WELL
                await tick(NONE_SECONDS if upstream is None else IDLE_SECONDS)
                continue
            wrong, *_ = await asyncio.gather(
                self._round(upstream),
                self._follow(upstream),
                asyncio.sleep(upstream.check_seconds),
            )
            yield wrong

    async def drain(self, asked: DrainServer) -> AsyncGenerator[DrainStep, None]:
        """Change it, and report when no worker of the gateway uses the old list. Raises PorticoError."""
        name, undo = asked.server, asked.undo
        if not self._is_serving():
            what = f"{self._running.in_force.gateway.name} does not serve yet"
            raise PorticoError(Problem("", what, "ask again when it does"))
        if undo and asked.when_well:
            await self._until_well(name)
        async with self._changing:
            upstream, began = self._upstream(), time.monotonic()
            wanted = drained(self.servers, name, time.monotonic(), undo=undo)
            is_new = without_requests(wanted) != without_requests(self.servers)
            before = self._running.gateway_workers() if is_new else set()
            await self._change(wanted)
            self._keep()
        yield DrainStep(name, "returning" if undo else "draining")
        # An old worker finishes its requests, and accepts one more from each connected client.
        address = next((one.address for one in upstream.servers if one.name == name), "") if upstream else ""
        while not undo and await self._is_asked(before & self._running.gateway_workers(), address, began):
            await asyncio.sleep(LOOK_SECONDS)
        self._say(notices.ServerDrained(name, undo=undo))
        yield DrainStep(name, "in" if undo else "drained")

    async def _until_well(self, name: str) -> None:
        """Ask the server until it has answered well as often as brings one back. Raises PorticoError after
        start_timeout.
        """
        drained(self.servers, name, 0.0, undo=True)  # raises for a name that is none
        until, good = time.monotonic() + self._running.in_force.health.start_seconds, 0
        while good < BACK_AFTER:
            upstream = self._upstream()
            server = next((one for one in upstream.servers if one.name == name), None) if upstream else None
            answer = await self._answer(server, upstream) if server and upstream else None
            good = good + 1 if answer and answer.is_well else 0
            if not good and time.monotonic() > until:
                what = (
                    f"{name} does not answer well ({answer or 'its name leads nowhere'}), so it stays drained"
                )
                raise PorticoError(Problem("", what, "look there, then try again"))
            if answer:
                async with self._changing:
                    await self._change(heard(self.servers, name, answer, time.monotonic()))
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_asked(self, old: Collection[int], address: str, began: float) -> bool:
        """Whether an old worker of the gateway may still ask the server, not one with a transfer from another."""
        if not old or time.monotonic() - began < IDLE_CLIENTS_SECONDS:
            return bool(old)
        return await in_background(lambda: drain.has_connection(old, address))

    def status(self) -> tuple[ServerStatus, ...]:
        self._upstream()
        now = time.monotonic()
        return tuple(
            ServerStatus(one.name, _word(one), one.answer, round(now - one.since, 3) if one.since else None)
            for one in self.servers
        )

    def _upstream(self) -> Upstream | None:
        """The active list: a reload may have added other servers."""
        upstream = self._running.in_force.upstream
        self.servers = known(self.servers, [server.name for server in upstream.servers] if upstream else ())
        return upstream

    async def _round(self, upstream: Upstream) -> Round:
        """Ask each of them once; the first answer is judged first. Returns servers without a verdict, and why."""
        looks = [self._look(server, upstream) for server in upstream.servers]
        ends = await asyncio.gather(*looks, return_exceptions=True)
        pairs = zip(upstream.servers, ends, strict=True)
        return {server.name: end for server, end in pairs if isinstance(end, Exception)}

    async def _look(self, server: UpstreamServer, upstream: Upstream) -> None:
        answer = await self._answer(server, upstream)
        if answer is None or not self._is_serving():
            return
        async with self._changing:
            self._upstream()
            before = self.servers
            try:
                await self._change(heard(before, server.name, answer, time.monotonic()))
            except PorticoError as error:
                self._complain(error.problems[0])
            except OSError as error:
                self._complain(Problem(error.filename or "", f"cannot be written: {error.strerror}"))
            else:
                self._tell(before)
                self._trouble = None

    async def _follow(self, upstream: Upstream) -> None:
        """Let the gateway look up again the names that it looks up only when it reads its files."""
        if not upstream.names:
            return
        found = await LOOK_UPS.of_all(upstream.names)
        async with self._changing:
            before = self._names
            self._names, moved = seen(before, found, time.monotonic())
            if not moved or not self._is_serving():
                return
            try:
                await self._running.take_out(self._running.out)
            except (PorticoError, OSError) as error:
                self._names = Names(before.addresses, self._names.moves)
                first = error.problems[0] if isinstance(error, PorticoError) else Problem("", str(error))
                self._complain(first)
            else:
                self._say(notices.ServersMoved(tuple(sorted(moved))))

    def _complain(self, problem: Problem) -> None:
        """Reported once: the next round tries again."""
        if problem != self._trouble:
            self._say(notices.Trouble(problem))
        self._trouble = problem

    async def _answer(self, server: UpstreamServer, upstream: Upstream) -> Answer | None:
        """None if its name cannot be resolved: the gateway may use another name server, so that says nothing about the
        server.
        """
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await ask(server, upstream, self._running.in_force.health)
        except socket.gaierror:
            return None
        except TimeoutError:
            return Answer(words=f"no answer within {ASK_SECONDS:g} s")
        except (OSError, EOFError, ValueError) as error:
            return Answer(words=str(error) or type(error).__name__)

    async def _change(self, servers: Servers) -> None:
        """Activate the change. Raises PorticoError if the gateway rejects it; then nothing has changed."""
        out = without_requests(servers)
        if out != without_requests(self.servers) or out != self._running.out:
            await self._running.take_out(out)
        self.servers = servers

    def _keep(self) -> None:
        """A drained server stays drained after a restart of Portico."""
        try:
            names = [server.name for server in self.servers if server.is_drained]
            self._drained_file.write_text(json.dumps(names), "utf-8")
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            self._say(
                notices.Trouble(
                    Problem(
                        str(self._drained_file),
                        what,
                        "the next start of Portico forgets which servers are drained",
                    )
                )
            )

    def _tell(self, before: Servers) -> None:
        for old, new in zip(before, self.servers, strict=True):
            if new.is_out and not old.is_out:
                self._say(notices.ServerOut(new.name, new.answer))
            elif old.is_out and not new.is_out:
                self._say(notices.ServerBack(new.name, new.since - old.since))
            elif new.bad == OUT_AFTER and old.bad < OUT_AFTER and new.gets_requests:
                self._say(notices.LastServer(new.name, new.answer))


def _read(kept: Path) -> list[str]:
    try:
        return untrusted.read_json(kept, list[str])
    except (OSError, ValueError):
        return []


def _word(server: Server) -> str:
    if server.is_drained:
        return "drained"
    if server.is_out:
        return "out"
    return "failing" if server.bad else "in"
