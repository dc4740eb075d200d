"""What Portico must know of a web server to run it: its signals, its files, its words."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.status import Bodies
from portico.run.gateway.cached import CacheEntry
from portico.run.processes.child import Signals


@dataclass(frozen=True)
class CacheFiles:
    """The answers that it keeps, as files."""

    files: Callable[[str, float], Iterator[Path]]
    """Every file of the cache in that directory that was put there since that Unix time; 0: every file."""
    read: Callable[[Path], CacheEntry | None]
    """What a file holds; None when nothing is kept in it (any more)."""
    drop: Callable[[CacheEntry], bool]
    """Make the program forget it; whether it was there."""


@dataclass(frozen=True)
class Program:
    """One web server. Its processes are a master, the child of Portico, and the workers of that one."""

    name: str
    """As its process is called in a plan (`plan.gateway.kind`)."""
    ends: Signals
    reload: signal.Signals
    """Read the files again."""
    reopen: signal.Signals
    """Write to new log files."""
    inherits: Callable[[Collection[int]], Mapping[str, str]]
    """The variables in which it finds the listening sockets that it inherits under these numbers."""
    objections: Callable[[Plan, Path], tuple[Problem, ...]]
    """What it has against the files of a plan in that directory, its own words quoted; blocks while it reads them."""
    is_noise: Callable[[str], bool]
    """Whether nobody needs to see that line of its standard error."""
    master: Callable[[str], int | None]
    """The pid of the master that runs in that runtime directory."""
    accepts: Callable[[int], bool]
    """Whether that worker takes new connections."""
    is_leaving: Callable[[int], bool]
    """Whether that worker finishes what it has, and then leaves."""
    sees_seconds: float
    """How long it may take to see that a file which it looks for at each request is there now, or no longer."""
    leftovers: tuple[str, ...]
    """What a killed one leaves in its runtime directory."""
    bodies: Callable[[Iterable[int], Plan], Bodies]
    """The bodies that these workers of it have on disk at this moment."""
    cache: CacheFiles
