"""What Gunicorn's workers for ASGI have in common here: loading, replacing and reporting, in one event loop."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gunicorn.workers.gasgi import ASGIWorker

from portico.link import app_output
from portico.link.app.patched import refuse_patched
from portico.link.asgi.exchange import request_id
from portico.link.gunicorn import boot_guard, report
from portico.link.gunicorn.beat import Beat
from portico.link.gunicorn.handover import DUE, Handover, take_signals

_PUSH_SECONDS: Final = 1.0


class EventLoopWorker(ASGIWorker):  # type: ignore[misc]  # Gunicorn publishes no types
    """It is replaced like the WSGI worker: by max_requests and PORTICO_MAX_MEMORY, once its successor has started."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """In the arbiter, before the fork: creates what both processes write to."""
        super().__init__(*given, **named)
        self.handover = Handover()
        self.beat = Beat("event loop")
        # Gunicorn's protocol would end the worker at once.
        self._enough: int = self.max_requests
        self.max_requests: int = sys.maxsize
        self.max_memory = math.inf
        self.at_the_end: Callable[[], None] = lambda: None

    @classmethod
    def check_config(cls, _cfg: Any, _log: Any) -> None:
        """Nothing to say: threads are for other workers."""

    def load_wsgi(self) -> None:
        """Loads the app as Gunicorn does."""
        app_output.keep(request_id.get, self.log)
        with boot_guard.beside_others(self), boot_guard.own_signals(self):
            self.load()
        threading.Thread(target=_push, daemon=True, name="portico beat").start()

    def load(self) -> None:
        """Imports the app."""
        super().load_wsgi()
        refuse_patched(self.cfg.default_proc_name, Path.cwd(), is_asgi=True)

    def init_signals(self) -> None:
        """Plain handlers until the loop runs: uvloop loses what comes before."""
        for number, handle in self._handlers.items():
            signal.signal(number, lambda *_, handle=handle: handle())
        take_signals()

    @property
    def _handlers(self) -> dict[int, Callable[[], None]]:
        return {
            signal.SIGQUIT: self.handle_quit_signal,
            signal.SIGTERM: self.handle_exit_signal,
            signal.SIGINT: self.handle_quit_signal,
            signal.SIGUSR1: self.handle_usr1_signal,
            signal.SIGWINCH: self.handle_winch_signal,
            signal.SIGABRT: self.handle_abort_signal,
        }

    def _listen_for_signals(self) -> None:
        for number, handle in self._handlers.items():
            self.loop.add_signal_handler(number, handle)

    def run(self) -> None:
        """The worker's life; the app's own startup is part of the loading."""
        self.loop.call_soon(self._listen_for_signals)
        with boot_guard.beside_others(self):
            super().run()
        report.gone()
        self.at_the_end()

    def look(self, served: int) -> None:
        """Once a second while it serves: reports that it has the app, and asks for a successor if it is due."""
        if not self.handover.has_loaded:
            boot_guard.done(self)
        if served >= self._enough or report.resident() > self.max_memory:
            self.handover.announce(DUE)
        if self.handover.may_leave:
            self.alive = False


def _push() -> None:
    while True:
        time.sleep(_PUSH_SECONDS)
        app_output.push()
