"""malloc_trim(3): what this process no longer uses goes back to the system."""

from __future__ import annotations

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""None where the C library has none (musl, macOS)."""


def give_back() -> None:
    """After much was made and dropped, as for a plan; takes about a millisecond."""
    if _trim is not None:
        _trim(0)
