"""Wait for something to come true, instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 150.0
"""For what must happen: other tests want the processors, too."""
_MOST_SHOWN: Final = 6000
Seen = TypeVar("Seen")


def until(
    seen: Callable[[], Seen],
    what: str | Callable[[], object] = "",
    seconds: float = PATIENCE_SECONDS,
) -> Seen:
    """What `seen` returns once that is true; `what` says in the error what was expected, or how things are."""
    began = time.monotonic()
    while not (found := seen()):
        waited = time.monotonic() - began
        if waited > seconds:
            told = what if isinstance(what, str) else str(what())
            raise AssertionError(f"not within {seconds:g} s: {told[-_MOST_SHOWN:]}")
        time.sleep(min(max(waited / 10, 0.01), 0.25))  # what takes long is asked for less often
    return found
