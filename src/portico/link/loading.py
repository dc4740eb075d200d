"""A worker that cannot load the app must not take along the others that serve it.

Gunicorn's arbiter ends with all its workers when one fails to boot. That is right at the start, and wrong later: code
that is copied over the old one, and is broken, would end a site at the next worker that is replaced.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

PAUSE_SECONDS: Final = 5.0
"""Before the arbiter tries again; each try is a traceback in the log."""
_serving: Final = mmap.mmap(-1, 1)
"""Made in the arbiter, which imports this module, and shared with every worker it forks: 1 once one has the app."""


@contextmanager
def beside_others(worker: Any) -> Iterator[None]:
    """Around the loading of the app. When it fails and another worker has it, the arbiter just forks again."""
    try:
        yield
    except Exception:
        if not _serving[0]:
            raise
        worker.log.exception("a worker cannot load the app; those that have it serve on")
        ends = time.monotonic() + PAUSE_SECONDS
        while worker.alive and time.monotonic() < ends:
            worker.notify()
            time.sleep(0.1)
        raise SystemExit(1) from None
    _serving[0] = 1
