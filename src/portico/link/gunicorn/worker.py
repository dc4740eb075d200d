"""`gunicorn -k portico.link.gunicorn.worker.Worker`: a worker that speaks uwsgi with nginx.

The main thread supervises: it sends Gunicorn's heartbeat, wakes threads when the active ones are held up, checks
for requests past their deadline, the memory of the process and the arbiter, and shuts the worker down gracefully.
"""

from __future__ import annotations

import gc
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from gunicorn.http.wsgi import base_environ
from gunicorn.workers.base import Worker as GunicornWorker

from portico.link import app_output, timing
from portico.link.app.patched import refuse_patched
from portico.link.context import Contexts
from portico.link.fence import Fence
from portico.link.gunicorn import boot_guard, report
from portico.link.gunicorn.beat import Beat
from portico.link.gunicorn.handover import DUE, Handover, take_signals
from portico.link.gunicorn.pause import VARIABLE, PauseFlag
from portico.link.gunicorn.watch import LOOK_SECONDS, Watch, limits_from
from portico.link.slow import VARIABLE as VARIABLE_OF_SLOW
from portico.link.slow import SlowRequests
from portico.link.trace import Tracer
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.backlog import Backlog, Bounds, siblings
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.exchange import Exchange
from portico.link.wsgi.growth import FIXED, Growth
from portico.link.wsgi.growth import VARIABLE as VARIABLE_OF_THREADS
from portico.link.wsgi.queue import Queue
from portico.link.wsgi.response import Response, TimedResponse
from portico.link.wsgi.thread_pool import LONGEST_POLL_SECONDS, POLL_SECONDS, ThreadPool

_FAREWELL_SECONDS: Final = 1.0
"""How long the threads of closed connections have to notice it."""
_LAST_SECONDS: Final = 5
"""How long the app's own threads and exit handlers have at the end."""
_ROOM: Final = 0.8
"""The share of its memory limit up to which a worker gets more threads: their requests need some, too."""
_THREAD_BYTES: Final = 512 << 10
"""At least, with a request that waits: as plan.app_servers.workers."""
_SOMAXCONN: Final = Path("/proc/sys/net/core/somaxconn")


class Worker(GunicornWorker):  # type: ignore[misc]  # Gunicorn publishes no types
    """Serves requests of nginx's `uwsgi_pass` on one unix socket, with Gunicorn's `threads` threads.

    It uses these settings of Gunicorn: threads, max_requests and its jitter, graceful_timeout, timeout (the
    heartbeat), and worker_connections (the most WebSockets). From the environment: PORTICO_DEADLINE, seconds that a
    request may take without progress; PORTICO_MAX_MEMORY, the resident memory in bytes at which the worker is
    replaced; PORTICO_PAUSE, the directory of the flag of `portico pause`; PORTICO_APP_LOG, the file of the app's
    output; PORTICO_THREADS, how many threads there may be while requests wait; PORTICO_TRACE and PORTICO_TRACE_MASK as
    in `trace`, PORTICO_SLOW as in `slow`, PORTICO_TRACING as in `context`, and PORTICO_SERVER_TIMING as in `timing`.
    """

    pool_class: type[ThreadPool] = ThreadPool  # bench/threads.py replaces it in its experiments
    _serving: ThreadPool | None = None
    _why = ""
    """Why it is due for replacement."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """In the arbiter, before the fork: creates what both processes write to."""
        super().__init__(*given, **named)
        self.handover = Handover()
        self.beat = Beat()
        self.at_the_end: Callable[[], None] = lambda: None
        self.max_memory = math.inf

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Called by the arbiter before it starts workers; a RuntimeError ends it with its message."""
        limits_from(os.environ)
        Bounds.of(os.environ)
        Downloads.of(os.environ)
        most_threads(os.environ)
        if len(cfg.address) != 1 or isinstance(cfg.address[0], tuple):
            raise RuntimeError(
                "portico.link.gunicorn.worker serves exactly one unix socket: bind = unix:PATH or fd://N"
            )

    def init_signals(self) -> None:
        """As Gunicorn does it; then what came before is handled."""
        super().init_signals()
        take_signals()

    def load_wsgi(self) -> None:
        """Loads the app as Gunicorn does; see `boot_guard.beside_others`."""
        app_output.keep(self._request_id, self.log)
        with boot_guard.beside_others(self), boot_guard.own_signals(self):
            self.load()
        boot_guard.done(self)

    def load(self) -> None:
        """Imports the app."""
        super().load_wsgi()
        refuse_patched(self.cfg.default_proc_name, Path.cwd(), is_asgi=False)

    def run(self) -> None:
        """The worker's life after the app was loaded; returns after a graceful end."""
        limits = limits_from(os.environ)[0], self.max_memory
        bounds = Bounds.of(os.environ)
        queue = Queue(limits[0], bounds.seconds / 2) if bounds else Queue(limits[0])
        pool = self._serving = self._pool(queue)
        slow = SlowRequests(os.environ.get(VARIABLE_OF_SLOW), self.pid)
        watch = Watch(pool.slots, self.log, limits, slow, queue, Leaving.of(os.environ), self.beat)
        gc.freeze()  # imported objects stay: the garbage collector need not scan them again
        pause = PauseFlag(os.environ.get(VARIABLE), queue.begin)
        pause.obey(pool)
        pool.start()
        if reason := self._serve(pool, watch, pause, self._backlog(bounds, pool, queue)):
            self.log.info("worker %s is replaced: %s", self.pid, reason)
            pool.stop()  # requests in the backlog are for the other workers, and for the successor
        else:
            pool.stop(_longest_backlog())  # there may be no other worker to serve it
        self._finish(watch)
        self.at_the_end()

    def _pool(self, queue: Queue) -> ThreadPool:
        listener: socket.socket = self.sockets[0].sock
        listener.setblocking(False)
        threads = self.cfg.threads
        most = max(threads, most_threads(os.environ))
        base: dict[str, Any] = base_environ(self.cfg) | {"wsgi.multithread": threads > 1}
        return self.pool_class(
            listener,
            Exchange(
                self.wsgi,
                base,
                self.log,
                Downloads.of(os.environ),
                Tracer.of(os.environ),
                Contexts.of(os.environ),
                queue,
                Fence.of(os.environ),
                self.beat.allow,
                TimedResponse if timing.is_on(os.environ) else Response,
            ).serve,
            self._wake,
            count=threads,
            # With one thread the app may rely on being alone: then a WebSocket keeps that thread for itself.
            most=most + self.cfg.worker_connections if threads > 1 else 1,
            name=str(self.pid),
            enough=self.max_requests,
            growth=Growth(most, partial(self._room, report.resident())) if most > threads > 1 else FIXED,
        )

    def _room(self, at_start: int, threads: int) -> int:
        """For how many more threads there is memory if each takes what one takes now, or more: none where this worker
        will be replaced. `at_start` was its memory before any request.
        """
        if self._why or math.isinf(self.max_memory):
            return 0 if self._why else threads
        now = report.resident()
        left, each = _ROOM * self.max_memory - now, max(_THREAD_BYTES, (now - at_start) / threads)
        return max(0, int(left / each))

    def _backlog(self, bounds: Bounds | None, pool: ThreadPool, queue: Queue) -> Callable[[], None]:
        """What bounds the queue and detects an overload, to be called once a second."""
        if bounds is None:
            return lambda: None
        backlog = Backlog(self.sockets[0].sock, bounds, lambda: pool.size, lambda: siblings(self.cfg.workers))

        def look() -> None:
            was_idle = pool.was_idle()
            backlog.look(time.monotonic(), pool.accepted - queue.skipped, queue.left, was_idle=was_idle)
            queue.crowd_seconds = backlog.seconds / 2
            if queue.is_crowded() and not was_idle:
                report.crowded()

        return look

    def _request_id(self) -> str:
        """The ID of the request that the calling thread serves."""
        environ = self._serving.environ() if self._serving else None
        return str(environ.get("HTTP_X_REQUEST_ID", "")) if environ else ""

    def _wake(self) -> None:
        try:
            os.write(self.PIPE[1], b".")
        except BlockingIOError:
            pass  # it already contains enough wake-ups

    def _serve(
        self, pool: ThreadPool, watch: Watch, pause: PauseFlag, look_at_queue: Callable[[], None]
    ) -> str | None:
        """Supervises until the worker must end; returns why it is due for replacement, or None if it was told to
        end.
        """
        signals, arrivals = select.epoll(), select.epoll()
        for poller in (signals, arrivals):
            poller.register(self.PIPE[0], select.EPOLLIN)
        arrivals.register(self.sockets[0].fileno(), select.EPOLLIN)
        beat, poll_seconds = 0.0, POLL_SECONDS
        # A killed arbiter notifies no worker; the worker then has another parent.
        while self.alive and self.ppid == os.getppid():
            now = time.monotonic()
            if now >= beat:
                beat = now + LOOK_SECONDS
                self.notify()
                pause.obey(pool)
                app_output.push()
                self._why = watch.look() or self._why
                look_at_queue()
                pool.relieve_late()
                pool.nudge()
            if pool.full:
                self._why = self._why or f"it has served {self.max_requests} requests"
            if self._may_leave(watch):
                return self._why or "there are more than configured"
            for descriptor, _ in (arrivals if pool.has_reserve else signals).poll(max(beat - now, 0)):
                if descriptor == self.PIPE[0]:
                    os.read(descriptor, 4096)
                    pause.obey(pool)
                else:
                    poll_seconds = (
                        POLL_SECONDS if pool.relieve() else min(2 * poll_seconds, LONGEST_POLL_SECONDS)
                    )
                    pool.sleep(poll_seconds)
        return None

    def _may_leave(self, watch: Watch) -> bool:
        """A worker that is due for replacement serves until its successor has loaded the app (`link.handover`)."""
        if self._why:
            self.handover.announce(DUE)
        return self.handover.may_leave or (bool(self._why) and watch.is_stuck)

    def _finish(self, watch: Watch) -> None:
        """Waits for the accepted requests, then ends what is left."""
        report.gone()
        watch.say_goodbye()
        self._wait_for_threads(watch, self.cfg.graceful_timeout)
        watch.hang_up()
        self._wait_for_threads(watch, _FAREWELL_SECONDS)
        watch.rest()
        # A thread that never ends must not keep the process alive, not even during the interpreter's shutdown.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LAST_SECONDS)

    def _wait_for_threads(self, watch: Watch, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while watch.unfinished() and (left := ends - time.monotonic()) > 0:
            self.notify()
            watch.look()
            watch.say_goodbye()  # to WebSockets that were in the middle of a message before
            if select.select([self.PIPE[0]], [], [], min(left, LOOK_SECONDS))[0]:
                os.read(self.PIPE[0], 4096)


def most_threads(environment: Mapping[str, str]) -> int:
    """How many threads there may be while requests wait; 0 for a fixed number; RuntimeError with one line."""
    text = environment.get(VARIABLE_OF_THREADS) or "0"
    if not text.isdecimal():
        raise RuntimeError(f"{VARIABLE_OF_THREADS} is {text!r}, expected a number")
    return int(text)


def _longest_backlog() -> int:
    """No listening socket holds more: when this many were accepted, all that waited at the start have been."""
    try:
        return int(_SOMAXCONN.read_text()) + 1
    except (OSError, ValueError):
        return 4097
