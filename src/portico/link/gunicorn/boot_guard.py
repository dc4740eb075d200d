"""Guards the loading of the app in a worker: reports its result, and keeps the worker's signal handlers.

Gunicorn's arbiter ends with all its workers if one fails to boot. That is right at the start, and wrong later:
broken code copied over a running site would end it at the next replacement of a worker.
"""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from portico.link.gunicorn import ahead, report
from portico.link.gunicorn.handover import FAILED, SERVING
from portico.link.gunicorn.watch import allowed_memory, limits_from

_serving: Final = mmap.mmap(-1, 1)
"""Created in the arbiter, which imports this module, and shared with every worker it forks: 1 once one has the app."""


@contextmanager
def beside_others(worker: Any) -> Iterator[None]:
    """Wraps everything that may fail before a worker serves. If a worker had loaded the app before, `link.arbiter`
    decides.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if worker.handover.has_loaded or not worker.alive:
            raise  # the app is loaded, or the worker was stopped during the import: that is not a failure of the app
        report.failed(error)
        ahead.wait()
        if not _serving[0]:
            raise
        worker.log.exception("a worker could not load the app; the workers that loaded it keep serving")
        worker.handover.announce(FAILED)
        raise SystemExit(1) from None


@contextmanager
def own_signals(worker: Any) -> Iterator[None]:
    """Wraps the import of the app: the worker keeps its signal handlers."""
    before = {number: signal.getsignal(number) for number in worker.SIGNALS}
    yield
    worker.at_the_end = _restore(before)


def done(worker: Any) -> None:
    """The worker serves; from now on it is replaced at `max_memory`."""
    _serving[0] = 1
    limit, fresh = limits_from(os.environ)[1], report.resident()
    worker.max_memory = allowed_memory(limit, fresh)
    report.loaded(fresh, 0 if worker.max_memory == limit else int(worker.max_memory))
    worker.handover.announce(SERVING)


def _restore(before: dict[int, Any]) -> Callable[[], None]:
    """Restores the worker's handlers where the app has set its own; returns those to call when the worker ends.

    An app's handler that ends the process at SIGTERM would abort requests in progress. It is called once these are
    done, if the signal came.
    """
    came: list[tuple[Callable[..., object], int]] = []
    for number, handler in before.items():
        own = signal.getsignal(number)
        if own == handler or handler is None:
            continue
        if callable(own) and number == signal.SIGTERM:
            signal.signal(number, _noting(came, own, handler))
        else:
            signal.signal(number, handler)

    def call() -> None:
        for own, number in came[:1]:
            own(number, None)

    return call


def _noting(came: list[tuple[Callable[..., object], int]], own: Callable[..., object], handler: Any) -> Any:
    def note(number: int, frame: Any) -> None:
        came.append((own, number))
        if callable(handler):
            handler(number, frame)

    return note
