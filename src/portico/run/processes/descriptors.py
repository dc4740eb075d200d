"""The limit of open files for Portico and its children."""

from __future__ import annotations

import resource
from typing import Final

_MOST: Final = 65536
"""Some containers allow a billion; programs that loop over all numbers below their limit then take minutes."""


def raise_limit() -> None:
    """Raise the soft limit to the hard one.

    Login shells and systemd set it to 1024, so a worker with 1000 open event streams could accept no more
    connections. The gateway raises the limit of its workers itself (`worker_rlimit_nofile`).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
