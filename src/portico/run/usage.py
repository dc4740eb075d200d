"""What the processes of a running site use, read from the kernel when somebody asks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from portico.plan.model import Plan
from portico.run import proc, quiet
from portico.run.proc import Entry

_TICKS = os.sysconf("SC_CLK_TCK")


def usage(told: Mapping[str, Any], wanted: Mapping[int, int]) -> dict[str, Any]:
    """What `status.status` told, with the processes of nginx and of each generation; `wanted` are their workers."""
    return {
        **told,
        "memory": proc.memory(os.getpid()),
        "nginx": told["nginx"] | _processes(told["nginx"]["pid"]),
        "generations": [
            one | _processes(one["pid"]) | {"wanted_workers": wanted.get(one["number"])}
            for one in told["generations"]
        ],
    }


def queue(plans: Mapping[int, Plan]) -> dict[str, int]:
    """Requests that wait for a worker, and those that workers have."""
    sockets = frozenset(plan.generation_socket(number) for number, plan in plans.items())
    return {
        "waiting": quiet.requests(sockets, quiet.QUEUED),
        "with_app": quiet.requests(sockets, quiet.ACCEPTED),
    }


def _processes(pid: int | None) -> dict[str, Any]:
    if pid is None:
        return {"memory": 0, "workers": []}
    workers = [_worker(entry) for entry in sorted(proc.children_of({pid}), key=lambda one: one.started)]
    return {"memory": _sum([pid, *(worker["pid"] for worker in workers)]), "workers": workers}


def _worker(entry: Entry) -> dict[str, Any]:
    up = time.clock_gettime(time.CLOCK_BOOTTIME) - entry.started / _TICKS
    return {"pid": entry.pid, "up_seconds": round(max(up, 0.0), 1), "memory": proc.memory(entry.pid)}


def _sum(pids: Iterable[int]) -> int:
    return sum(map(proc.memory, pids))
