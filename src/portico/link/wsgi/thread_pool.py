"""The threads of a worker, and how many of them are active.

One thread at a time runs Python. If eight all accept connections, they pass the interpreter lock at every system
call, and a request of 80 us costs 100. So threads rest until they are needed: usually one is active; it accepts,
serves, and accepts again. When all active threads have been held up for a moment and a connection waits, another is
woken. A thread with only quick requests for a while goes back to rest, unless it is the last active one.
bench/threads.py has the alternatives, with figures.

If all threads are active, requests wait and the threads do, too, there will be more of them (`growth`). Those that
were idle for a while end.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import sys
import threading
import time
from _thread import LockType, allocate_lock
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from portico.link.wsgi.growth import FIXED, Growth
from portico.link.wsgi.request import Connection
from portico.link.wsgi.stream import Stream

# The figures were chosen with bench/threads.py, idle and with one core busy elsewhere.
POLL_SECONDS: Final = 0.001
LONGEST_POLL_SECONDS: Final = 0.008
"""How often the threads are checked while connections wait: at every millisecond a small request costs 8 % more, so
the checks are rarer while no thread is held up.
"""
_HELD_UP_NS: Final = 1_000_000
"""A thread that needs longer than this for one request is held up: another takes new requests meanwhile."""
_QUICK_NS: Final = 2_000_000
_QUICK_IN_A_ROW: Final = 32
_UNHEARD_POLLS: Final = 4
"""After so many polls with waiting connections, an idle thread is woken in case it missed one."""
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


_LASTS_NS: Final = 1_000_000_000
"""A stream beyond this time holds its thread for as long as its client likes: it says nothing about the app's speed."""


@dataclass(slots=True, eq=False)
class Slot:
    """The state of one thread: written by that thread, read by the worker's main thread.

    `label` is the worker's pid and the thread's number. `began` is when its connection was accepted and `moved`
    when the request last made progress, both time.monotonic_ns(); `connection` is set from accept to close,
    `environ` as soon as the request is read, `stream` while a streaming answer is sent. `overdue` means that the
    request is past its deadline, `handed_over` that the app speaks on the connection itself, `replaced` that
    this thread ends with its request: another has taken over, or it is not needed any more.

    `arrivals` is where the thread waits for a connection, and `listens` means that one wakes it. Each thread has its
    own: where many wait in one epoll, the kernel wakes a second one for each connection, which finds nothing.
    """

    label: str
    relieve: Callable[[Slot], None]
    """Called by its own thread if the request will keep it for long."""
    on_duty: bool
    ident: int = 0
    native: int = 0
    """The kernel's number of the thread."""
    began: int = 0
    moved: int = 0
    connection: Connection | None = None
    environ: dict[str, Any] | None = None
    stream: Stream | None = None
    overdue: bool = False
    handed_over: bool = False
    replaced: bool = False
    listens: bool = False
    call: LockType = field(default_factory=allocate_lock)
    arrivals: select.epoll = field(default_factory=select.epoll)


class ThreadPool:
    """`count` threads, and more as `growth` allows, that call `serve` with each connection to `listener`, which other
    workers share.

    `listener` is a non-blocking unix socket. A thread with a long-lived request (a WebSocket, a stream, a slow
    client) is replaced while there are fewer than `most`; `name` begins the labels. `wake` is called from any
    thread when the main thread should check again: a thread went to rest, or `enough` connections were accepted.
    """

    def __init__(
        self,
        listener: socket.socket,
        serve: Callable[[Connection, Slot], None],
        wake: Callable[[], None],
        *,
        count: int,
        most: int,
        name: str,
        enough: int,
        growth: Growth = FIXED,
    ) -> None:
        self._accept = listener._accept  # type: ignore[attr-defined]  # accept() would build a socket.socket
        self._serve = serve
        self._wake = wake
        self._count = count
        self._most = most
        self._growth = growth
        self._name = name
        self._numbers = itertools.count(1)
        self._accepted = itertools.count(1)
        self._enough = enough
        self._lock = threading.Lock()
        self._on_duty = 0
        self._resting: list[Slot] = []
        self._stopping = self._paused = False
        self._halted = False  # set by either of them: the one flag that is read before each connection
        self._resumed = threading.Event()
        self._listener = listener.fileno()
        self._backlog_left = 0
        self._stop_event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._nudge_event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._unheard = 0
        self.slots: list[Slot] = []
        self._unrelieved: dict[Slot, int] = {}  # and when their requests began
        self._by_thread: dict[int, Slot] = {}
        self.full = False
        self.accepted = 0
        """How many connections were accepted; a race may lose one."""
        self._found_empty = True  # set by a thread, since the last call

    def start(self) -> None:
        """Starts serving: one thread active, the others resting."""
        for number in range(self._count):
            self._enlist(on_duty=number == 0)

    def stop(self, backlog: int = 0) -> None:
        """Serves up to `backlog` waiting connections, then accepts no more."""
        with self._lock:
            # A paused worker leaves waiting connections to the others: they must not be served now.
            self._backlog_left = 0 if self._paused else backlog
            self._stopping, self._paused, self._halted = True, False, True
            self._resumed.set()
            while self._resting:
                self._call()
        os.eventfd_write(self._stop_event, 1)

    @property
    def is_paused(self) -> bool:
        return self._paused

    def pause(self) -> None:
        """Accepts no more until `resume`; accepted requests are finished."""
        with self._lock:
            if self._stopping or self._paused:
                return
            self._resumed.clear()
            self._paused = self._halted = True
            self._listen_all()

    def resume(self) -> None:
        with self._lock:
            if not self._paused:
                return
            self._paused = self._halted = False
            self._listen_all()  # wakes a thread if connections wait already
            self._resumed.set()

    def _listen_all(self) -> None:
        for slot in self.slots:
            self._listen(slot)

    def _listen(self, slot: Slot) -> None:
        """A connection wakes its thread, if that takes some now: a resting one would only cost the kernel time."""
        if slot.replaced or slot.listens == (listens := slot.on_duty and not self._paused):
            return
        if listens:
            # Exclusive: a connection wakes one idle thread of one worker, not one of each.
            slot.arrivals.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        else:
            slot.arrivals.unregister(self._listener)
        slot.listens = listens

    @property
    def has_reserve(self) -> bool:
        """Whether another thread could be called, or started."""
        return not self._paused and (bool(self._resting) or self._growth.is_open(self.size))

    @property
    def size(self) -> int:
        """How many threads take requests, or rest."""
        return self._on_duty + len(self._resting)

    def was_idle(self) -> bool:
        """Whether a thread has been idle since the last call.

        One with a long stream counts as idle: it depends on its client, not on the load.
        """
        was, self._found_empty = self._found_empty, False
        lately = time.monotonic_ns() - _LASTS_NS
        return was or self._paused or any(_is_idle(s, lately) for s in self.slots.copy())

    def nudge(self) -> None:
        """A connection waits: wakes an idle thread, if there is one.

        The kernel wakes one idle thread of one worker for a connection. If that worker is killed, or leaves, at
        that moment, no other would notice the connection before the next one arrives.
        """
        if any(slot.on_duty and slot.connection is None for slot in self.slots.copy()):
            os.eventfd_write(self._nudge_event, 1)

    def relieve(self) -> bool:
        """A connection waits: calls a resting thread if all active ones are held up, or starts one. Returns whether it
        did.
        """
        if not self._resting or self.size > self._count:
            self._growth.look(self.size, (slot.native for slot in self.slots.copy() if slot.on_duty))
        lately = time.monotonic_ns() - _HELD_UP_NS
        with self._lock:
            self._unheard += 1
            if self._unheard >= _UNHEARD_POLLS:
                self._unheard = 0
                self.nudge()
            quick = sum(not (s.connection and s.began < lately) for s in self.slots if s.on_duty)
            # Among many threads that wait for something, one has always just begun.
            held_up = quick <= (self._on_duty // 4 if self._growth.is_waiting else 0)
            if held_up and self._resting:
                self._call()
                return True
            return held_up and self._grow()

    def sleep(self, seconds: float) -> None:
        """Between two calls of `relieve`."""
        if self._resting and self.size <= self._count:
            time.sleep(seconds)
        else:
            self._growth.sleep(seconds)

    def _enlist(self, *, on_duty: bool) -> None:
        """Raises RuntimeError if the system allows no more."""
        label = f"{self._name} {next(self._numbers)}"
        try:
            slot = Slot(label, self._replace, on_duty, arrivals=select.epoll())
            slot.arrivals.register(self._stop_event, select.EPOLLIN)
            slot.arrivals.register(self._nudge_event, select.EPOLLIN | select.EPOLLET | select.EPOLLEXCLUSIVE)
            self._listen(slot)
        except OSError as error:  # no descriptor is left
            raise RuntimeError(error.strerror) from None
        slot.call.acquire()
        self.slots.append(slot)
        thread = threading.Thread(target=self._work, args=(slot,), daemon=True, name=f"portico {slot.label}")
        try:
            thread.start()
        except RuntimeError:
            self.slots.remove(slot)
            slot.arrivals.close()
            raise
        if on_duty:
            self._on_duty += 1
        else:
            self._resting.append(slot)

    def _call(self) -> None:
        slot = self._resting.pop()  # the last that went to rest: its memory is still in the cache
        slot.on_duty = True
        self._on_duty += 1
        self._listen(slot)
        slot.call.release()

    def _grow(self) -> bool:
        if self._halted or not self._growth.take(self.size):
            return False
        try:
            self._enlist(on_duty=True)
        except RuntimeError:
            self._growth.refuse()  # the system allows no more
            return False
        return True

    def _rest(self, slot: Slot) -> None:
        with self._lock:
            if self._on_duty <= 1 or self._stopping:
                return
            slot.on_duty = False
            self._on_duty -= 1
            self._listen(slot)
            self._resting.append(slot)
            first = len(self._resting) == 1
        if first:
            self._wake()
        while not slot.call.acquire(timeout=self._patience_seconds):
            if self._dismiss(slot, rests=True):
                return

    @property
    def _patience_seconds(self) -> float:
        """How long a thread is idle before it ends, -1 for ever."""
        return self._growth.linger_seconds if self.size > self._count else -1

    def _dismiss(self, slot: Slot, *, rests: bool) -> bool:
        """The thread of `slot` was idle for long: it ends if there are more than there were at the start, and another
        one is idle. One that rests may have been called meanwhile.
        """
        with self._lock:
            idle = sum(other.connection is None and not other.replaced for other in self.slots)
            if self._stopping or self.size <= self._count or idle <= 1 or rests is slot.on_duty:
                return False
            if rests:
                self._resting.remove(slot)
            elif self._on_duty > 1:
                slot.on_duty = False
                self._on_duty -= 1
            else:
                return False
            slot.replaced = True
            return True

    def _replace(self, slot: Slot) -> None:
        """The thread of `slot` will be busy for as long as its request lasts."""
        with self._lock:
            if slot.replaced or self._stopping:
                return
            try:
                if len(self.slots) >= self._most:
                    raise RuntimeError
                self._enlist(on_duty=True)
            except RuntimeError:
                self._unrelieved[slot] = slot.began  # no more threads for now: this one stays active
                return
            slot.replaced, slot.on_duty = True, False
            if slot.ident == threading.get_ident():  # it is not waiting, nor will it; there may be hundreds
                slot.arrivals.close()
            self._on_duty -= 1

    def relieve_late(self) -> None:
        """Called once a second: replaces the threads of long-lived requests for which there was no room before.

        Otherwise streams could hold all active threads although their earlier replacements have long ended.
        """
        self._growth.reopen()
        for slot, began in self._unrelieved.copy().items():
            del self._unrelieved[slot]
            if slot.connection is not None and slot.began == began:
                self._replace(slot)

    def environ(self) -> dict[str, Any] | None:
        """The environ of the request that the calling thread serves; None for a foreign or idle thread."""
        slot = self._by_thread.get(threading.get_ident())
        return slot.environ if slot else None

    def _work(self, slot: Slot) -> None:
        slot.ident, slot.native = threading.get_ident(), threading.get_native_id()
        self._by_thread[slot.ident] = slot
        if not slot.on_duty:
            slot.call.acquire()
        try:
            self._serve_all(slot)
        finally:
            _close_connections()
            del self._by_thread[slot.ident]
            with self._lock:
                slot.arrivals.close()
                self.slots.remove(slot)
                if slot.on_duty:
                    self._on_duty -= 1
            self._wake()

    def _serve_all(self, slot: Slot) -> None:
        accept, serve, accepted, enough = self._accept, self._serve, self._accepted, self._enough
        quick = 0
        while not slot.replaced:
            if self._halted and not self._may_go_on():
                return
            try:
                descriptor, _ = accept()
            except OSError as error:
                if not self._wait(error, slot):
                    return
                continue
            connection = Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
            if connection.gettimeout() is not None:  # the app has called socket.setdefaulttimeout
                connection.settimeout(None)
            serve(connection, slot)
            self.accepted = number = next(accepted)
            if number >= enough and not self.full:
                self.full = True
                self._wake()
            if self._on_duty > 1:
                quick = quick + 1 if time.monotonic_ns() - slot.began < _QUICK_NS else 0
                if quick >= _QUICK_IN_A_ROW:
                    self._rest(slot)

    def _may_go_on(self) -> bool:
        while self._paused:
            self._resumed.wait()
        if not self._stopping:
            return True
        self._backlog_left -= 1
        return self._backlog_left >= 0

    def _wait(self, error: OSError, slot: Slot) -> bool:
        """Waits for a connection; False if this thread accepts no more."""
        if self._stopping:
            return False
        if error.errno == errno.EAGAIN:
            self._found_empty = True
            return bool(slot.arrivals.poll(self._patience_seconds, 1)) or not self._dismiss(slot, rests=False)
        if error.errno in _OUT_OF_FILES:
            time.sleep(0.01)  # the connection stays in the backlog until another one is closed
        return True


def _is_idle(slot: Slot, lately: int) -> bool:
    if not slot.on_duty:
        return False
    return slot.connection is None or (slot.stream is not None and slot.began < lately)


def _close_connections() -> None:
    """Django keeps a connection to its database for each thread, and closes it only at a full garbage collection."""
    database: Any = sys.modules.get("django.db")
    if database is not None:
        with suppress(Exception):
            database.connections.close_all()
