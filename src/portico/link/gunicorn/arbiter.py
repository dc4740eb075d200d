"""Gunicorn with rolling replacement of workers: `python -m portico.link.gunicorn.arbiter ...`.

A worker that is due for replacement (max_requests, max_memory) asks for a successor and serves until the successor
has loaded the app. So broken code on the disk costs no serving worker. There is one successor at a time: one worker
more than configured, while it loads and the other one finishes. If no worker can load the app and none that has
loaded it is left, the arbiter ends: Portico then answers, and tries again.

Gunicorn removes the path of its socket when it ends, and fails if it may not. It does not touch a socket from
systemd, and Portico passes its socket in the same way.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from typing import Any, Final

from gunicorn import arbiter
from gunicorn.app import base, wsgiapp
from gunicorn.errors import HaltServer

from portico.link.gunicorn.handover import BOOTING, FAILED, HELD, Handover

PAUSE_SECONDS: Final = 5.0
"""The pause after a worker that could not load the app: each attempt is a traceback in the log."""
VARIABLE: Final = "PORTICO_BOOT"
"""How many seconds a worker may take to load the app."""
_DEATHS: Final = 3
"""So many workers in a row that died while loading the app, with none serving, count as a failure to load."""


class Arbiter(arbiter.Arbiter):  # type: ignore[misc]
    """Replaces workers in turn, and treats its sockets as inherited."""

    systemd = property(lambda _: True, lambda *_: None)
    _not_before = 0.0
    _failures = _last_failed = 0
    """How many workers in a row could not load the app, and the age (Gunicorn's counter) of the last one."""

    def start(self) -> None:
        Handover.arbiter = os.getpid()
        super().start()

    def spawn_worker(self) -> int:
        """A signal that comes before the worker has handlers of its own waits until it has them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            return int(super().spawn_worker())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def handle_winch(self) -> None:
        """A worker has news: the loop checks all of them after each signal."""

    def murder_workers(self) -> None:
        """The heartbeat counts once a worker has loaded the app: an import may take as long as the start of a site."""
        now = time.monotonic()
        for worker in self.WORKERS.values():
            if _handover(worker).state == BOOTING and now - _handover(worker).since < self._boot_seconds:
                worker.tmp.notify()
            elif silent := worker.beat.look(worker.pid):
                self._end_silent(worker, silent)
        super().murder_workers()

    def _end_silent(self, worker: Any, seconds: float) -> None:
        self.log.error(
            "worker %s is killed: its %s did not run for %.0f s, longer than a request may take (a thread that keeps "
            "the interpreter lock does that); its threads were in\n%s",
            worker.pid, worker.beat.thread, seconds, worker.beat.end(worker.pid) or "(not known)",
        )  # fmt: skip

    @property
    def _boot_seconds(self) -> float:
        return float(os.environ.get(VARIABLE, 0))

    def manage_workers(self) -> None:
        """Starts missing workers, with a successor if one is due; releases a worker that has a successor, or is
        surplus.
        """
        staying = [worker for worker in self._by_age() if not _handover(worker).was_let_go]
        due = [worker for worker in staying if _handover(worker).is_due]
        successor = 1 if due and len(self.WORKERS) <= self.num_workers else 0
        for _ in range(self.num_workers + successor - len(staying)):
            if not self._may_start():
                break
            self.spawn_worker()
        self._let_go(staying, due)

    def _by_age(self) -> list[Any]:
        return sorted(self.WORKERS.values(), key=lambda worker: int(worker.age))

    def _let_go(self, staying: list[Any], due: list[Any]) -> None:
        loaded = sum(_handover(worker).has_loaded for worker in staying)
        if due and loaded > self.num_workers:
            _handover(due[0]).let_go(due[0].pid)
        too_many = len(staying) - self.num_workers - (1 if due else 0)
        for worker in staying[: max(0, too_many)]:
            _handover(worker).let_go()
            self.kill_worker(worker.pid, signal.SIGTERM)

    def _may_start(self) -> bool:
        """No immediate retry after a failure while others serve or still load."""
        return time.monotonic() >= self._not_before or not self.WORKERS

    def reap_workers(self) -> None:
        """Raises HaltServer if the app cannot be loaded and no worker that has loaded it is left."""
        before = dict(self.WORKERS)
        super().reap_workers()
        if not self.LISTENERS:
            return  # the arbiter itself is leaving
        ended = [before[pid] for pid in before.keys() - self.WORKERS.keys()]
        failed = [one for one in ended if _handover(one).state in (BOOTING, FAILED)]
        failed = [one for one in failed if not _handover(one).was_let_go]
        if failed:
            self._failed(failed)

    def _failed(self, failed: list[Any]) -> None:
        """These workers ended before they had loaded the app."""
        staying = [worker for worker in self.WORKERS.values() if not _handover(worker).was_let_go]
        loaded = [int(worker.age) for worker in staying if _handover(worker).has_loaded]
        if max(loaded, default=0) > self._last_failed:
            self._failures = 0
        self._failures += len(failed)
        self._last_failed = max(int(worker.age) for worker in failed)
        cannot_load = any(_handover(worker).state == FAILED for worker in failed)
        if cannot_load or self._failures > 1:
            self._not_before = time.monotonic() + PAUSE_SECONDS
        if not loaded and ((cannot_load and not staying) or self._failures >= _DEATHS):
            raise HaltServer("App failed to load.", self.APP_LOAD_ERROR)


def _handover(worker: Any) -> Handover:
    found: Handover = worker.handover
    return found


class Application(wsgiapp.WSGIApplication):  # type: ignore[misc]
    """Loads its configuration from source: stale bytecode of the same second and length would be used."""

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        return runpy.run_path(filename, run_name="__config__")


def main(kind: type[Arbiter] = Arbiter) -> None:
    """Runs until it is told to end."""
    base.Arbiter = kind
    sys.argv[0] = "gunicorn"
    Application("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    main()
