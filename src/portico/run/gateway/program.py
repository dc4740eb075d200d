"""The properties of a web server that Portico needs to run it: its signals, files and messages."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem
from portico.plan.model import Plan
from portico.protocol.status import Bodies
from portico.run.gateway.cached import CacheEntry
from portico.run.processes.child import Signals


class CacheFiles(Struct, frozen=True):
    """Its cached answers, as files."""

    files: Callable[[str, float], Iterator[Path]]
    """Every file of the cache in that directory written since that Unix time; 0: every file."""
    read: Callable[[Path], CacheEntry | None]
    """The content of a file; None if it holds no cached answer (any more)."""
    drop: Callable[[CacheEntry], bool]
    """Make the program forget the answer; returns whether it was there."""


class Program(Struct, frozen=True):
    """One web server. Its processes are a master, which is Portico's child, and the master's workers."""

    name: str
    """The name of its process in a plan (`plan.gateway.kind`)."""
    ends: Signals
    ends_worker: signal.Signals
    """The signal that ends a worker at once, with its requests."""
    reload: signal.Signals
    """The signal to reload its files."""
    reopen: signal.Signals
    """The signal to open new log files."""
    inherits: Callable[[Collection[int]], Mapping[str, str]] | None
    """The environment variables that pass it inherited listening sockets under these numbers; None: it opens its
    sockets itself, and clients are refused while a killed one is replaced.
    """
    objections: Callable[[Plan, Path], tuple[Problem, ...]]
    """Its errors about a plan's files in that directory, quoted; blocks while it reads them."""
    is_noise: Callable[[str], bool]
    """Whether that line of its standard error can be left out."""
    master: Callable[[str], int | None]
    """The pid of the master that runs in that runtime directory."""
    accepts: Callable[[int], bool]
    """Whether that worker accepts new connections."""
    is_leaving: Callable[[int], bool]
    """Whether that worker finishes its requests and then exits."""
    sees_seconds: float
    """How long it may take to notice that a file which it checks at each request was created or removed."""
    leftovers: tuple[str, ...]
    """The files that a killed one leaves in its runtime directory."""
    bodies: Callable[[Iterable[int], Plan], Bodies]
    """The bodies that these workers have on disk at this moment."""
    cache: CacheFiles
