"""`gunicorn -k portico.link.gunicorn.asgi.Worker`: runs an ASGI app, and speaks uwsgi with nginx.

The event loop is uvloop's where that is installed. The main thread runs the loop: it accepts, calls the app, sends
Gunicorn's heartbeat, and shuts the worker down gracefully.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gunicorn.arbiter import Arbiter

from portico.link import timing
from portico.link.asgi.bounded import BoundedServer, at_once
from portico.link.asgi.departures import Departures
from portico.link.asgi.exchange import Means
from portico.link.asgi.files import Files
from portico.link.asgi.lifespan import Lifespan, StartupFailedError
from portico.link.asgi.response import Response, TimedResponse
from portico.link.asgi.scope import Packets
from portico.link.asgi.server import Server
from portico.link.asgi.trace import App
from portico.link.context import Contexts
from portico.link.fence import Fence
from portico.link.gunicorn import report
from portico.link.gunicorn.event_loop import EventLoopWorker
from portico.link.gunicorn.pause import VARIABLE, PauseFlag
from portico.link.gunicorn.watch import limits_from
from portico.link.slow import VARIABLE as VARIABLE_OF_SLOW
from portico.link.slow import SlowRequests
from portico.link.trace import Tracer
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.backlog import Backlog, Bounds, siblings
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.queue import Queue

_BEAT_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 5
"""How long the app's own threads and exit handlers have at the end."""
_LAST_WAIT_SECONDS: Final = 2.0
"""For what was cancelled after `graceful_timeout`."""


class Worker(EventLoopWorker):
    """Serves requests of nginx's `uwsgi_pass` on one unix socket.

    It uses these settings of Gunicorn: max_requests and its jitter, graceful_timeout, timeout (the heartbeat) and
    root_path (the mount). From the environment it takes what the worker for WSGI takes, without threads, and
    PORTICO_AT_ONCE as in `asgi.bounded`.
    """

    _wake: asyncio.Event | None = None
    _ending: asyncio.Future[None] | None = None

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Called by the arbiter before it starts workers; a RuntimeError ends it with its message."""
        limits_from(os.environ)
        Bounds.of(os.environ)
        at_once(os.environ)
        Downloads.of(os.environ)
        if len(cfg.address) != 1 or isinstance(cfg.address[0], tuple):
            raise RuntimeError(
                "portico.link.gunicorn.asgi serves exactly one unix socket: bind = unix:PATH or fd://N"
            )

    def handle_exit_signal(self) -> None:
        """SIGTERM: a graceful end, at once."""
        super().handle_exit_signal()
        self._hurry()

    def handle_quit_signal(self) -> None:
        """SIGQUIT, SIGINT: an end without waiting."""
        super().handle_quit_signal()
        self._hurry()
        if self._ending is not None:
            self._ending.cancel()

    def handle_winch_signal(self) -> None:
        """The arbiter, or `portico pause`, has news."""
        self._hurry()

    def _hurry(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def _serve(self) -> None:
        self._wake = asyncio.Event()
        lifespan = Lifespan(self.asgi, self.log)
        try:
            if not await self._start(lifespan):
                return
        except StartupFailedError as error:
            lifespan = Lifespan(self.instead(error), self.log)
            await lifespan.startup()
        bounds = Bounds.of(os.environ)
        queue = Queue(limits_from(os.environ)[0], bounds.seconds / 2 if bounds else math.inf)
        server = self._server(lifespan.state, queue)
        gc.freeze()  # imported objects stay: the garbage collector need not scan them again
        await self._supervise(server, queue, self._backlog(server, queue, bounds))
        # There may be no other worker to serve those that wait.
        server.stop(takes_backlog=not self.handover.may_leave)
        await self._wait_for(server.finish(self.cfg.graceful_timeout), server)
        await self._wait_for(lifespan.shutdown(), server)
        self.beat.stop()
        _end_soon()

    def instead(self, error: StartupFailedError) -> App:
        """What is served instead of an app that cannot start; raises SystemExit if there is nothing."""
        self.log.error("ASGI lifespan startup failed: %s", error)
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None

    async def _start(self, lifespan: Lifespan) -> bool:
        """Whether the app is ready; False if the worker was told to end before."""
        assert self._wake is not None
        starting = asyncio.ensure_future(lifespan.startup())
        while self.alive and not starting.done():
            self._wake.clear()
            told = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
        if not starting.done():
            starting.cancel()
            _end_soon()
            return False
        await starting
        return True

    def _server(self, state: dict[str, Any], queue: Queue) -> Server:
        loop = asyncio.get_running_loop()
        means = Means(
            self.asgi,
            loop,
            self.log,
            Packets(Fence.of(os.environ), self.cfg.root_path or ""),
            Departures(loop),
            Files(Downloads.of(os.environ)),
            Tracer.of(os.environ),
            state,
            limits_from(os.environ)[0],
            self.beat.allow,
            Contexts.of(os.environ),
            queue,
            TimedResponse if timing.is_on(os.environ) else Response,
        )
        self.beat.start(means.deadline)
        given = self.sockets[0].sock, means, Leaving.of(os.environ)
        return BoundedServer(*given, most) if (most := at_once(os.environ)) else Server(*given)

    def _backlog(self, server: Server, queue: Queue, bounds: Bounds | None) -> Callable[[], None]:
        """What bounds the queue and detects an overload, to be called once a second."""
        if bounds is None or not isinstance(server, BoundedServer):
            return lambda: None
        most = at_once(os.environ)
        backlog = Backlog(self.sockets[0].sock, bounds, lambda: most, lambda: siblings(self.cfg.workers))

        def look() -> None:
            was_idle = server.was_idle()
            backlog.look(time.monotonic(), server.accepted - queue.skipped, queue.left, was_idle=was_idle)
            queue.crowd_seconds = backlog.seconds / 2
            if queue.is_crowded() and not was_idle:
                report.crowded()

        return look

    async def _supervise(self, server: Server, queue: Queue, look_at_queue: Callable[[], None]) -> None:
        """Serves until the worker must end."""
        pause = PauseFlag(os.environ.get(VARIABLE), queue.begin)
        slow = SlowRequests(os.environ.get(VARIABLE_OF_SLOW), self.pid)
        server.resume()
        pause.obey(server)
        loop, wake = asyncio.get_running_loop(), self._wake
        assert wake is not None
        beat = 0.0
        # A killed arbiter notifies no worker; the worker then has another parent.
        while self.alive and self.ppid == os.getppid():
            wake.clear()
            pause.obey(server)
            if loop.time() >= beat:
                beat = loop.time() + _BEAT_SECONDS
                self.notify()
                self.beat.set(server.longest(), _BEAT_SECONDS)
                server.look()
                slow.report(server.slow_requests())
                queue.look(self.log.warning)
                look_at_queue()
            self.look(server.accepted)
            if self.alive:
                timer = loop.call_later(max(0.0, beat - loop.time()), wake.set)
                await wake.wait()
                timer.cancel()

    async def _wait_for(self, work: Coroutine[Any, Any, None], server: Server) -> None:
        """Waits for the end of `work`, with the heartbeat, for `graceful_timeout` + 2 s. SIGQUIT ends it at once."""
        self._ending = asyncio.ensure_future(work)
        if self._quick_shutdown:
            self._ending.cancel()
        ends = time.monotonic() + self.cfg.graceful_timeout + _LAST_WAIT_SECONDS
        while not self._ending.done() and time.monotonic() < ends:
            self.notify()
            self.beat.set(server.longest(), _BEAT_SECONDS)
            server.look()
            await asyncio.wait([self._ending], timeout=_BEAT_SECONDS)


def _end_soon() -> None:
    """A thread that never ends must not keep the process alive, not even during the interpreter's shutdown."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LAST_SECONDS)
