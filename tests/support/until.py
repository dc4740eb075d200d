"""Wait for something to come true, instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(
    seen: Callable[[], Seen], seconds: float = 60, what: Callable[[], str] = str, pause: float = 0.02
) -> Seen:
    """What `seen` returns when that is true at last; `what` tells in the error how things are instead."""
    give_up = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < give_up, f"it did not happen within {seconds} s: {what()}"
        time.sleep(pause)
    return found
