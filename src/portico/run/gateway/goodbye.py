"""Before a gateway ends workers, it notifies the sites behind them: clients of WebSockets there get Close 1001.

An app's workers know through which of them each connection comes (`link.websocket.leaving`), and look once a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portico.place import untrusted
from portico.plan.paths import leaving

HEARD_SECONDS = 2.5
"""The workers look, and clients answer with a Close of their own."""
_MODE = 0o711
"""Everybody who knows a pid may ask for it."""


def tell(runtimes: Iterable[str], pids: Iterable[int]) -> None:
    """Tell the sites with these runtime directories that these workers of the gateway are about to be ended.

    Where it cannot be written the clients are cut off without a word.
    """
    names = [*map(str, pids)]
    for directory in map(Path, map(leaving, runtimes)):
        with suppress(OSError):
            directory.mkdir(exist_ok=True)
            directory.chmod(_MODE)
            for name in names:
                (directory / name).touch()


def forget(runtimes: Iterable[str]) -> None:
    """It is over: pids are given to other processes one day."""
    for runtime in runtimes:
        untrusted.remove_tree(leaving(runtime))


@contextmanager
def announced(runtimes: Iterable[str], pid: int) -> Iterator[None]:
    """The same for one of them, while it is waited for."""
    runtimes = tuple(runtimes)
    tell(runtimes, [pid])
    try:
        yield
    finally:
        forget(runtimes)
