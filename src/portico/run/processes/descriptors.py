"""How many files Portico, and everything it starts, may have open."""

from __future__ import annotations

import resource
from typing import Final

_MOST: Final = 65536
"""Some containers allow a billion, and programs that walk through all numbers below their limit take minutes then."""


def raise_limit() -> None:
    """Raise the soft limit to the hard one.

    Login shells and systemd leave it at 1024, so that a worker with 1000 open event streams could accept nothing more.
    nginx raises that of its workers by itself (`worker_rlimit_nofile`).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
