"""Around the loading of the app in a worker: what others learn of it, and which signals stay the worker's.

Gunicorn's arbiter ends with all its workers when one fails to boot. That is right at the start, and wrong later: code
that is copied over the old one, and is broken, would end a site at the next worker that is replaced.
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
"""Made in the arbiter, which imports this module, and shared with every worker it forks: 1 once one has the app."""


@contextmanager
def beside_others(worker: Any) -> Iterator[None]:
    """Around all that may fail before a worker serves. If a worker had the app before, `link.arbiter` decides then."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if worker.handover.has_loaded or not worker.alive:
            raise  # the app is there, or the worker was told to leave while it imported: that is no failure of the app
        report.failed(error)
        ahead.wait()
        if not _serving[0]:
            raise
        worker.log.exception("a worker could not load the app; the workers that loaded it keep serving")
        worker.handover.announce(FAILED)
        raise SystemExit(1) from None


@contextmanager
def own_signals(worker: Any) -> Iterator[None]:
    """Around the import of the app: signals stay the worker's."""
    before = {number: signal.getsignal(number) for number in worker.SIGNALS}
    yield
    worker.at_the_end = _restore(before)


def done(worker: Any) -> None:
    """The worker serves; `max_memory` is where it is to be replaced from now on."""
    _serving[0] = 1
    limit, fresh = limits_from(os.environ)[1], report.resident()
    worker.max_memory = allowed_memory(limit, fresh)
    report.loaded(fresh, 0 if worker.max_memory == limit else int(worker.max_memory))
    worker.handover.announce(SERVING)


def _restore(before: dict[int, Any]) -> Callable[[], None]:
    """Put the worker's handlers back where the app has set its own; what is to be called when the worker ends.

    An app's handler that ends the process at SIGTERM would end requests in progress. It is called when these are done,
    if the signal came.
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
