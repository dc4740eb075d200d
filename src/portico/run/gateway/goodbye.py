"""Notifies sites before a gateway ends workers, so that their clients of WebSockets get Close 1001.

An app's workers know the gateway worker of each connection (`link.websocket.leaving`), and look once a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portico.place import untrusted
from portico.plan.paths import leaving

HEARD_SECONDS = 2.5
"""The time for the workers to look, and for clients to answer with their own Close."""
_MODE = 0o711
"""The directory's mode: any user who knows a pid may look for its file."""


def tell(runtimes: Iterable[str], pids: Iterable[int]) -> None:
    """Tell the sites with these runtime directories that these workers of the gateway are about to end.

    If the file cannot be written, the clients' connections are cut without a Close.
    """
    names = [*map(str, pids)]
    for directory in map(Path, map(leaving, runtimes)):
        with suppress(OSError):
            directory.mkdir(exist_ok=True)
            directory.chmod(_MODE)
            for name in names:
                (directory / name).touch()


def forget(runtimes: Iterable[str]) -> None:
    """Withdraw the notification: the system may reuse the pids."""
    for runtime in runtimes:
        untrusted.remove_tree(leaving(runtime))


@contextmanager
def announced(runtimes: Iterable[str], pid: int) -> Iterator[None]:
    """Notify one site, while the caller waits."""
    runtimes = tuple(runtimes)
    tell(runtimes, [pid])
    try:
        yield
    finally:
        forget(runtimes)
