"""How many workers and threads, and why."""

from __future__ import annotations

import math

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.site.model import Site

DEFAULT_THREADS = 8
"""Costs a fast view nothing (bench/threads.py: 0.97 x the rate of one thread on an idle machine, 1.03 x with one core
busy).
"""
WAITING_THREADS = 64
"""For uWSGI, which has no extra threads for requests that wait. Portico's worker has."""
_LEAST_WORKERS = 2
"""If one worker dies or hangs, the other continues."""
_WORKER_MEMORY = 128 << 20
"""Bytes of a worker with a medium-sized app (Flask with an ORM); the limit avoids exit 137."""
_SHARE_OF_MEMORY = 0.75


class Capacity(Struct, frozen=True):
    """The numbers and the reason for each."""

    workers: int
    workers_why: str
    threads: int
    threads_why: str
    max_memory: int
    """The limit of a worker's resident memory in bytes."""
    max_memory_why: str


def capacity(site: Site, place: Place) -> Capacity:
    """The options' numbers; `auto` follows from the machine's CPUs and memory."""
    workers, workers_why = _workers(site, place)
    threads, threads_why = _threads(site)
    return Capacity(workers, workers_why, threads, threads_why, *_max_memory(site, place, workers))


def _workers(site: Site, place: Place) -> tuple[int, str]:
    count = site.options.workers.count
    if count != "auto":
        return count, "as you said"
    if site.facts.one_process:
        return 1, site.facts.one_process
    by_cpu = max(_LEAST_WORKERS, math.ceil(place.cpus))
    by_memory = max(1, int(place.memory * _SHARE_OF_MEMORY / _WORKER_MEMORY))
    if by_memory < by_cpu:
        mib = place.memory >> 20
        return (
            by_memory,
            f"as many as fit {mib} MiB of memory ({place.memory_source}); the CPUs would take {by_cpu}",
        )
    return by_cpu, f"one a CPU, at least two: {place.cpus:g} CPUs ({place.cpus_source})"


def _max_memory(site: Site, place: Place, workers: int) -> tuple[int, str]:
    if site.options.workers.max_memory is not None:
        return site.options.workers.max_memory, "as you said"
    mib = place.memory >> 20
    share = int(place.memory * _SHARE_OF_MEMORY / workers)
    return (
        share,
        f"its share of three quarters of {mib} MiB ({place.memory_source}): an app that leaks ends no machine",
    )


def jitter(requests: int) -> int:
    """The most requests that a worker may serve beyond `max_requests`; each worker draws its own number."""
    return requests // 10


def _threads(site: Site) -> tuple[int, str]:
    threads = site.options.workers.threads
    if threads != "auto":
        return threads, "as you said"
    if site.facts.one_process and Feature.LASTING not in app_server(site).features:
        return WAITING_THREADS, "each client that polls holds one of uWSGI's threads"
    return (
        DEFAULT_THREADS,
        "so many requests of a worker may wait for a database at once; idle threads cost nothing",
    )
