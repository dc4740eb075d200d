"""What the processes of a running site use, read from the kernel when somebody asks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping
from typing import Any

from portico.plan.model import Plan
from portico.run.processes import proc
from portico.run.processes.proc import Entry
from portico.run.sockets import drain
from portico.values import Address

_TICKS = os.sysconf("SC_CLK_TCK")


def usage(told: Mapping[str, Any], wanted: Mapping[int, int]) -> dict[str, Any]:
    """What `status.status` told, with the processes of nginx and of each release; `wanted` are their workers."""
    return {
        **told,
        "memory": proc.memory(os.getpid()),
        "nginx": told["nginx"] | _processes(told["nginx"]["pid"]),
        "releases": [
            one | _processes(one["pid"]) | {"wanted_workers": wanted.get(one["number"])}
            for one in told["releases"]
        ],
    }


def queue(plans: Mapping[int, Plan]) -> dict[str, int]:
    """Requests that wait for a worker, and those that workers have."""
    sockets = frozenset(plan.release_socket(number) for number, plan in plans.items())
    return {
        "waiting": drain.requests(sockets, drain.QUEUED),
        "with_app": drain.requests(sockets, drain.ACCEPTED),
    }


def connections(listen: Collection[Address]) -> int:
    """Client connections that are open at these addresses, each port counted once."""
    ports = "|".join(sorted({f"{address.port:04X}" for address in listen}))
    established = re.compile(rf": [0-9A-F]+:(?:{ports}) [0-9A-F]+:[0-9A-F]{{4}} 01 ".encode())
    found = 0
    for name in ("tcp", "tcp6"):
        try:
            found += len(established.findall((proc.PROC / "net" / name).read_bytes()))
        except OSError:
            pass  # a machine without IPv6
    return found


def _processes(pid: int | None) -> dict[str, Any]:
    if pid is None:
        return {"memory": 0, "workers": []}
    workers = [_worker(entry) for entry in sorted(proc.forked_by(pid), key=lambda one: one.started)]
    return {"memory": proc.memory(pid) + sum(worker["memory"] for worker in workers), "workers": workers}


def _worker(entry: Entry) -> dict[str, Any]:
    up = time.clock_gettime(time.CLOCK_BOOTTIME) - entry.started / _TICKS
    return {"pid": entry.pid, "up_seconds": round(max(up, 0.0), 1), "memory": proc.memory(entry.pid)}
