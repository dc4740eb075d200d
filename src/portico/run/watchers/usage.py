"""The resource usage of a running site's processes, read from the kernel when a client asks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from msgspec.structs import replace

from portico.plan.model import Plan
from portico.protocol.status import BackgroundStatus, GatewayStatus, Queue, ReleaseStatus, Worker
from portico.run.processes import proc
from portico.run.processes.proc import Entry
from portico.run.sockets import drain
from portico.values import Address

_TICKS = os.sysconf("SC_CLK_TCK")


def own_memory() -> int:
    return proc.memory(os.getpid())


def gateway(status: GatewayStatus) -> GatewayStatus:
    """Includes its memory and its workers."""
    return replace(status, **_processes(status.pid)._asdict())


def release(status: ReleaseStatus, wanted: int | None) -> ReleaseStatus:
    """The same; `wanted` is the configured number of workers."""
    return replace(status, **_processes(status.pid)._asdict(), wanted_workers=wanted)


def background(status: BackgroundStatus) -> BackgroundStatus:
    """Includes its memory."""
    return replace(status, memory=_processes(status.pid).memory)


def queue(plans: Mapping[int, Plan]) -> Queue:
    sockets = frozenset(plan.release_socket(number) for number, plan in plans.items())
    return Queue(drain.requests(sockets, drain.QUEUED), drain.requests(sockets, drain.ACCEPTED))


def connections(listen: Collection[Address]) -> int:
    """The open client connections at these addresses, each port counted once."""
    ports = "|".join(sorted({f"{address.port:04X}" for address in listen}))
    established = re.compile(rf": [0-9A-F]+:(?:{ports}) [0-9A-F]+:[0-9A-F]{{4}} 01 ".encode())
    found = 0
    for name in ("tcp", "tcp6"):
        with suppress(OSError):  # a machine without IPv6
            found += sum(established.search(row) is not None for row in proc.sockets(name))
    return found


class _Processes(NamedTuple):
    memory: int
    workers: tuple[Worker, ...]


def _processes(pid: int | None) -> _Processes:
    if pid is None:
        return _Processes(0, ())
    workers = tuple(map(_worker, sorted(proc.forked_by(pid), key=lambda one: one.started)))
    return _Processes(proc.memory(pid) + sum(worker.memory for worker in workers), workers)


def _worker(entry: Entry) -> Worker:
    up = time.clock_gettime(time.CLOCK_BOOTTIME) - entry.started / _TICKS
    return Worker(entry.pid, round(max(up, 0.0), 1), proc.memory(entry.pid))
