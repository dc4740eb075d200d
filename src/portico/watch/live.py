"""Observes a running site: follows its log, asks for the state of its processes, and feeds live observers.

No request is reported by itself: all are read from the log. Memory is bounded: ten minutes of numbers by the
second, the last requests, the last errors.
"""

from __future__ import annotations

import asyncio
import math
import time
import urllib.parse
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from portico.errors import Problem
from portico.log.follow import MOST, PIECE, Follower
from portico.log.reader import unread_lines
from portico.plan.model import Plan
from portico.plan.paths import dashboard_socket, live_path, made_password, metrics_socket, socket_aliases
from portico.plan.subjects import ObserverEndpoint, Tracing
from portico.protocol import notices
from portico.protocol.answers import MetricsAnswer, TraceAnswer
from portico.protocol.commands import (
    LIVE,
    METRICS,
    TRACE,
    Args,
    FollowLive,
    Handler,
    OfRequest,
    handled,
)
from portico.protocol.feed import Error, Fields, Item, Mark
from portico.protocol.notices import Notice
from portico.protocol.status import SiteStatus
from portico.protocol.trace import Trace
from portico.ticks import Round, Rounds, tick
from portico.watch import secret
from portico.watch.access import Lock, Secret
from portico.watch.endpoint import Endpoint, listen_unix
from portico.watch.exposition import exposition
from portico.watch.log_counts import Metrics
from portico.watch.moment import Moments
from portico.watch.notice_marks import mark
from portico.watch.rings import Errors, Requests
from portico.watch.saved_trace import saved_trace

if TYPE_CHECKING:
    from portico.watch.spans.sender import Sender

AskStatus = Callable[[], Awaitable[SiteStatus]]
_T = TypeVar("_T")

_LOOK_SECONDS, _IDLE_SECONDS = 0.2, 1.0
_MOST_PIECES = 256
LINES_A_SECOND = 2000
"""Up to this many lines, all are read; of more each n-th, so that observing takes a hundredth of a busy machine's
time.
"""
_MOST_BYTES_A_SECOND, _ENOUGH_BYTES_A_SECOND = 8 << 20, 2 << 20
"""Beyond this, some 20 000 lines, only a share of the pieces is read, so that it stays constant: splitting all
lines would cost a good part of what the gateway needs for a file.
"""
_STATUS_SECONDS, _SELDOM_SECONDS = 2.0, 30.0
"""The age of the processes' status, with and without an observer."""
_MOST_MARKS = 100
_FAREWELL_SECONDS = 2.0
"""How long the end of a site may wait for its last spans."""
_WAITING_ITEMS = 5
"""A slower reader misses some items; nothing waits for it."""


class Live:
    """The observer of one running site. `watch` runs beside the serving; the rest is called meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self.metrics = Metrics((path for path, _ in socket_aliases(live_path(plan.runtime))), plan.endpoints)
        self._plan = plan
        self._access, self._words = (
            Follower(Path(plan.access_log)),
            Follower(Path(plan.app_log), is_untrusted=True),
        )
        self._moments = Moments(self.metrics, time.time())
        self._requests, self._errors = Requests(), Errors()
        self._marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self._new_marks: list[Mark] = []
        self._ask_status: AskStatus | None = None
        self._sender: Sender | None = None
        self._traced: Tracing | None = None
        self._known: SiteStatus | None = None
        self._known_at = -math.inf
        self._pids: set[int] | None = None
        self._workers_started = 0
        self._followers: set[asyncio.Queue[Item | None]] = set()
        self._is_over = False
        self._has_secrets: Plan | None = None
        self._looked_at, self._lines_a_second = time.monotonic(), 0.0

    # The feed ------------------------------------------------------------------------------------------

    def hear(self, item: Notice) -> None:
        """Handles a notice: some are marks on the time axis."""
        if isinstance(
            item, notices.Stopping
        ):  # The gateway waits for open requests, and a stream would never end
            self._is_over = True
            for follower in self._followers:
                _put(follower, None)
        if found := mark(item, time.time()):
            self._marks.append(found)
            self._new_marks.append(found)
            self._known_at = -math.inf  # the processes have changed

    def handlers(self) -> list[Handler]:
        """The control socket's handlers."""
        return [
            handled(LIVE, self._give_live),
            handled(METRICS, self._give_metrics),
            handled(TRACE, self._give_trace),
        ]

    async def _give_live(self, asked: FollowLive) -> AsyncGenerator[Item, None]:
        async for item in self.follow():
            yield item
            if asked.once:
                return

    async def _give_metrics(self, _: Args) -> AsyncGenerator[MetricsAnswer, None]:
        yield MetricsAnswer(await self.exposition())

    async def _give_trace(self, asked: OfRequest) -> AsyncGenerator[TraceAnswer, None]:
        yield TraceAnswer(await self.trace(asked.id))

    async def trace(self, request_id: str) -> Trace | None:
        """The saved data of `portico trace` about a request, with the reasons of the lines that it names."""
        return await asyncio.to_thread(saved_trace, self._in_force(), request_id)

    async def exposition(self) -> str:
        """The current metrics in Prometheus' format."""
        self._read()
        return exposition(self.metrics, await self._asked(), self._sender.counts if self._sender else None)

    async def follow(self) -> AsyncGenerator[Item, None]:
        """First everything that is known, with the history, then what changes, once a second."""
        items: asyncio.Queue[Item | None] = asyncio.Queue(_WAITING_ITEMS)
        status = await self._asked()
        self._followers.add(items)  # not before: items during the question are in the first one already
        try:
            first = self._item(status, self._requests.kept, self._errors.all(), self._marks)
            yield replace(first, history=tuple(self._moments.history))
            while not self._is_over and (item := await items.get()) is not None:
                yield item
        finally:
            self._followers.discard(items)

    # The log -----------------------------------------------------------------------------------------

    async def watch(
        self, ask_status: AskStatus, in_force: Callable[[], Plan], tell: Callable[[Problem], None]
    ) -> Rounds:
        """Observes until cancelled; meanwhile it serves the endpoints behind the gateway."""
        self._ask_status, self._in_force, self._tell = ask_status, in_force, tell
        self._make_secrets()
        endpoints = list[tuple[asyncio.Server, str]]()
        try:
            await self._open_endpoints(endpoints)
            async for wrong in self._look():
                yield wrong
        finally:
            for endpoint, path in endpoints:
                endpoint.close()
                Path(path).unlink(missing_ok=True)
            self._read()
            self._trace(is_over=True)

    async def _open_endpoints(self, endpoints: list[tuple[asyncio.Server, str]]) -> None:
        """Both, whether or not the gateway uses them: a reload may turn one on."""
        metrics, dashboard = metrics_socket(self._plan.runtime), dashboard_socket(self._plan.runtime)
        group = self._plan.socket_group
        guards = (
            (
                Endpoint(self, Lock(lambda: self._secret(self._in_force().metrics)), metrics_only=True),
                metrics,
            ),
            (Endpoint(self, Lock(lambda: self._secret(self._in_force().dashboard))), dashboard),
        )
        for endpoint, path in guards:
            endpoints.append((await listen_unix(endpoint, path, group), path))

    def _secret(self, endpoint: ObserverEndpoint | None) -> Secret | None:
        hosts = (urllib.parse.urlsplit(url).hostname for url in self._in_force().urls)
        return Secret(endpoint.password_file, [*filter(None, hosts)], endpoint.reader) if endpoint else None

    def _make_secrets(self) -> None:
        """Makes the passwords that the plan in force names and that do not exist."""
        plan = self._in_force()
        if plan is not self._has_secrets:
            own = made_password(plan.state)
            if own in {endpoint.password_file for endpoint in (plan.metrics, plan.dashboard) if endpoint}:
                secret.make(own)
            self._has_secrets = plan

    async def _look(self) -> Rounds:
        """Each part by itself, while the endpoints stay open: without the log, the processes are still reported."""
        loop, second, came = asyncio.get_running_loop(), 0, False
        while True:
            wrong = dict[str, Exception]()
            try:
                came = self._read()
            except Exception as error:  # noqa: BLE001  whatever it is, it is reported and tried again
                wrong["in the log"] = error
            if (now := int(loop.time() + _LOOK_SECONDS / 2)) != second:
                second = now
                wrong |= await self._end_second()
            yield wrong
            await tick(_LOOK_SECONDS if came or self._followers else _IDLE_SECONDS)

    async def _end_second(self) -> Round:
        wrong = dict[str, Exception]()
        try:
            await self._close_second()
        except Exception as error:  # noqa: BLE001
            wrong["of the last second"] = error
        for what, work in (("as spans", self._trace), ("for who has the password", self._make_secrets)):
            try:
                work()
            except Exception as error:  # noqa: BLE001
                wrong[what] = error
        return wrong

    def _read(self) -> bool:
        """Counts the new lines of the log; a few pieces at a time, so that nothing else waits for long."""
        now = time.monotonic()
        elapsed = min(max(now - self._looked_at, _LOOK_SECONDS), 2 * _IDLE_SECONDS)
        self._looked_at, before = now, self.metrics.lines
        share = self._share(self._access.waiting() / elapsed)
        for _ in range(_MOST_PIECES):
            text = self._access.text(PIECE)
            over = min((share - 1) * len(text), self._access.waiting())
            self._access.pass_over(over)
            if self._sender:
                self._sender.take(text)
            rate = max(self._lines_a_second, (self.metrics.lines - before) / elapsed) / share
            stride = max(1, math.ceil(rate / LINES_A_SECOND))
            self.metrics.count(text, stride, times=1 + round(over / max(len(text), 1)))
            if len(text) < PIECE // 2 and self._access.waiting() < PIECE:
                break
        came = self.metrics.lines - before
        self._lines_a_second = came / elapsed
        return came > 0

    def _share(self, bytes_a_second: float) -> int:
        """The share of pieces to read. With spans it is each: a trace must not lack one."""
        if self._sender or bytes_a_second <= _MOST_BYTES_A_SECOND:
            return 1
        return math.ceil(bytes_a_second / _ENOUGH_BYTES_A_SECOND)

    async def _close_second(self) -> None:
        age = time.monotonic() - self._known_at
        if age >= (_STATUS_SECONDS if self._followers else _SELDOM_SECONDS):
            await self._ask()
        # No await from here on: a new observer would get a request twice.
        if (waiting := self._words.waiting()) > MOST:
            self._words.pass_over(waiting)
        self._errors.add_words(self._words.text(MOST).split(b"\n")[:-1])
        traced, recent = _taken(self.metrics.traced), _taken(self.metrics.recent)
        requests = self._requests.add(traced + [line for line in recent if line not in traced])
        self._errors.add_requests(_taken(self.metrics.failed))
        known = self._known
        assert known is not None
        memory = (known.memory, known.gateway.memory, sum(one.memory for one in known.releases))
        self._moments.tick(
            time.time(), memory=memory, waiting=known.queue.waiting, with_app=known.queue.with_app,
            connections=known.connections,
        )  # fmt: skip
        marks, self._new_marks = self._new_marks, []
        if self._followers:
            item = self._item(known, requests, self._errors.changed(), marks)
            for follower in self._followers:
                _put(follower, item)

    def _trace(self, *, is_over: bool = False) -> None:
        """Makes spans as the plan in force says, and reports their problems."""
        wanted = None if is_over else self._in_force().tracing
        if wanted != self._traced:
            if self._sender:
                self._sender.close(_FAREWELL_SECONDS if is_over else 0)
            self._sender, self._traced = None, wanted
            if wanted and wanted.url:
                self._sender = self._new_sender(wanted)
        if self._sender:
            for problem in self._sender.problems():
                self._tell(problem)

    def _new_sender(self, wanted: Tracing) -> Sender | None:
        try:
            from portico.watch.spans.sender import Sender  # 11 MB that only tracing costs

            return Sender(wanted)
        except Exception as error:  # noqa: BLE001  packages that do not fit together say it in many ways
            what = f"no spans are sent: {type(error).__name__}: {error}"
            self._tell(Problem("tracing", what, "pip install opentelemetry-proto requests"))
            return None

    def _item(
        self, status: SiteStatus, requests: Iterable[Fields], errors: Iterable[Error], marks: Iterable[Mark]
    ) -> Item:
        history = self._moments.history
        return Item(
            time=round(time.time(), 2),
            second=history[-1] if history else None,
            now=self._moments.now(),
            status=status,
            routes=self._moments.routes(),
            requests=tuple(requests),
            errors=tuple(errors),
            marks=tuple(marks),
            unread=self._unread(),
        )

    def _unread(self) -> str:
        """The message about unreadable lines since the start; empty if there are none."""
        counts = ((self.metrics.unreadable, "access.log"), (self._errors.unread, "app.log"))
        return "; ".join(unread_lines(count, name) for count, name in counts if count)

    # How the processes are ------------------------------------------------------------------------------

    async def _asked(self) -> SiteStatus:
        """The state of the processes, not older than a moment."""
        if self._known is None or time.monotonic() - self._known_at >= _STATUS_SECONDS:
            return await self._ask()
        return self._known

    async def _ask(self) -> SiteStatus:
        assert self._ask_status is not None
        status = await self._ask_status()
        self._known_at = time.monotonic()
        pids = {worker.pid for one in status.releases for worker in one.workers}
        if self._pids is not None:
            self._workers_started += len(pids - self._pids)
        self._pids = pids
        for gone in set(self.metrics.workers) - {str(pid) for pid in pids}:
            del self.metrics.workers[gone]
        self._known = replace(status, workers_started=self._workers_started)
        return self._known


def _put(follower: asyncio.Queue[Item | None], item: Item | None) -> None:
    if follower.full():
        follower.get_nowait()
    follower.put_nowait(item)


def _taken(items: deque[_T]) -> list[_T]:
    taken = list(items)
    items.clear()
    return taken
