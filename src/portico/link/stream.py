"""An answer whose end nobody knows, while it is being sent: what the watch does with it from outside.

An event stream may be silent for as long as it likes. nginx and whatever stands before it would take the silence for
death, so now and then a comment is sent, a line that begins with a colon, which every reader of events skips. And a
client that left is told to a generator that has nothing to yield, as Python itself tells it: by GeneratorExit.
"""

from __future__ import annotations

import ctypes
import socket
import threading
from collections.abc import Callable
from typing import Final

from portico.link.request import Connection

COMMENT: Final = b":\n"
LONGEST_SILENCE_SECONDS: Final = 15.0
"""The HTML standard's advice for servers, https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes"""


class Stream:
    """One such answer. `begin` sends its head with these first bytes; `ident` is the thread that sends it.

    Everything is sent under `lock`; `ended` and `told` are looked at and set under it, too.
    """

    def __init__(
        self, connection: Connection, ident: int, begin: Callable[[bytes], None] | None = None
    ) -> None:
        self.connection = connection
        self.ident = ident
        self.lock = threading.Lock()
        self.has_begun = self.is_events = False
        self.at_line_end = True
        self.ended = self.told = False
        self._begin = begin
        self.is_events = begin is not None

    def comment(self) -> bool:
        """Break the silence of an event stream; False when this is not the moment."""
        if not self.is_events or not self.lock.acquire(blocking=False):
            return False
        try:
            if self.ended or not self.at_line_end:
                return False
            if self.has_begun or self._begin is None:
                self.connection.send(COMMENT, socket.MSG_DONTWAIT)  # two bytes are sent or not sent
            else:
                self.has_begun = True
                self._begin(COMMENT)
        except OSError:
            return False  # the client left, or reads nothing
        finally:
            self.lock.release()
        return True

    def tell(self) -> None:
        """Raise GeneratorExit in the thread, where the app waits for something to send: its client has left."""
        if self.told or not self.lock.acquire(blocking=False):
            return
        try:
            if not self.ended:
                self.told = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident), ctypes.py_object(GeneratorExit)
                )
        finally:
            self.lock.release()

    def end(self) -> None:
        """Called by the thread when it has sent all: from here on nothing is raised in it any more."""
        while True:
            try:
                with self.lock:
                    self.ended = True
                if self.told:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), None)
            except GeneratorExit:
                continue
            return
