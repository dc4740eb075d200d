"""malloc_trim(3): returns unused memory of this process to the system."""

from __future__ import annotations

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""None if the C library lacks it (musl, macOS)."""


def give_back() -> None:
    """Call it after many objects were made and dropped, as for a plan; takes about a millisecond."""
    if _trim is not None:
        _trim(0)
