"""A streaming answer while it is being sent: what the main thread does with it.

An event stream may be silent for any time. nginx and proxies in front would take the silence for a failure, so now
and then a comment is sent, a line that begins with a colon, which every reader of events skips. And if the client
has left, a generator with nothing to yield gets GeneratorExit, as from Python itself.
"""

from __future__ import annotations

import ctypes
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from portico.link.wsgi.request import Connection

COMMENT: Final = b":\n"
LONGEST_SILENCE_SECONDS: Final = 15.0
"""The HTML standard's advice for servers, https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes"""

_MOMENT_SECONDS: Final = 0.8
_EACH_ROUNDS: Final = 30
"""A generator that sleeps for long gets the exception each second at first, then each half minute."""


class Stream:
    """One such answer. `begin` sends its head with these first bytes; `ident` is the thread that sends it.

    Everything is sent under `lock`; `ended` and `cancelled` are read and set under it, too.
    """

    def __init__(
        self, connection: Connection, ident: int, begin: Callable[[bytes], None] | None = None
    ) -> None:
        self.connection = connection
        self.ident = ident
        self.lock = threading.Lock()
        self.has_begun = self.is_events = False
        self.at_line_end = True
        self.ended = self.cancelled = self.heard = False
        self._rounds = 0
        self._begin = begin
        self.is_events = begin is not None

    def comment(self) -> bool:
        """Sends a comment to an event stream; False if this is not the moment."""
        if not self.is_events or not self.lock.acquire(blocking=False):
            return False
        try:
            if self.ended or not self.at_line_end:
                return False
            if self.has_begun or self._begin is None:
                self.connection.send(
                    COMMENT, socket.MSG_DONTWAIT
                )  # two bytes are sent as a whole or not at all
            else:
                self.has_begun = True
                self._begin(COMMENT)
        except OSError:
            return False  # the client left, or does not read
        finally:
            self.lock.release()
        return True

    def is_due(self) -> bool:
        """Each second at first; seldom for one that does not wake, and never while the app cleans up after it."""
        self._rounds += 1
        return not self.heard and (self._rounds <= _EACH_ROUNDS or self._rounds % _EACH_ROUNDS == 0)

    def cancel(self) -> bool:
        """Raises GeneratorExit in the thread, while the app waits for something to send: its client has left.

        Returns whether it was raised: `take_back` must follow soon.
        """
        if not self.lock.acquire(blocking=False):
            return False  # the thread is sending: it notices the client by itself
        try:
            if self.ended:
                return False
            self.cancelled = True
            _raise_in(self.ident, _exit_of(self))
            return True
        finally:
            self.lock.release()

    def take_back(self) -> None:
        """Withdraws a pending exception: a thread that sleeps in C code has not noticed yet."""
        has_lock = self.lock.acquire(timeout=_MOMENT_SECONDS)  # the raised exception may leave it locked
        try:
            if not self.ended:
                _raise_in(self.ident, None)
        finally:
            if has_lock:
                self.lock.release()

    def end(self) -> None:
        """Called by the thread when it has sent everything: from here on nothing is raised in it."""
        while True:
            try:
                with self.lock:
                    self.ended = True
                if self.cancelled:
                    _raise_in(self.ident, None)
                    _settle()
            except GeneratorExit:
                continue
            return


class StreamCanceller:
    """Cancels streams whose clients have left, repeatedly, each time for a moment.

    While an exception is pending for a thread that sleeps in C code, CPython 3.11 never gets past the first line of
    a function that is profiled or traced, in any thread; and every thread is slower. So no exception stays pending
    for long.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def cancel(self, streams: list[Stream]) -> None:
        """Called once a second with those that are left; returns at once."""
        if self._thread is not None and self._thread.is_alive():
            return
        due = [stream for stream in streams if stream.is_due()]
        if due:
            self._thread = threading.Thread(target=_cancel_for_a_moment, args=(due,), daemon=True)
            self._thread.start()


def _cancel_for_a_moment(streams: list[Stream]) -> None:
    cancelled = [stream for stream in streams if stream.cancel()]
    time.sleep(_MOMENT_SECONDS)
    for stream in cancelled:
        stream.take_back()
    _settle()


def _exit_of(stream: Stream) -> type[GeneratorExit]:
    """A GeneratorExit that records when it is raised: once in a stream is enough."""

    class Left(GeneratorExit):
        def __init__(self) -> None:
            super().__init__()
            stream.heard = True

    return Left


class _SettledError(BaseException):
    """Raised by a thread in itself."""


def _settle() -> None:
    """Makes CPython forget the pending exception: withdrawing one does not, only raising one in a thread does."""
    try:
        _raise_in(threading.get_ident(), _SettledError)
        for _ in range(1000):
            pass  # it is raised in one of these steps
    except _SettledError:
        pass


def _raise_in(ident: int, error: type[BaseException] | None) -> None:
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), raised)
