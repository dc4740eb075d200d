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
MOST_THREADS = 64
"""Of a worker whose requests wait: 10 ms each, so many answer 6 400 requests a second."""
_CONNECTIONS = 48
"""Apps open a connection to their database in each thread, or in each request. PostgreSQL takes 100, and while one
release replaces another there are twice as many threads.
"""
_THREAD_MEMORY = 512 << 10
"""Bytes of a request that waits, with what its view has read."""
WAITING_THREADS = 64
"""For uWSGI, which has no extra threads for requests that wait. Portico's worker has."""
_LEAST_WORKERS = 2
"""If one worker dies or hangs, the other continues."""
_WORKER_MEMORY = 128 << 20
"""Bytes of a worker with a medium-sized app (Flask with an ORM); the limit avoids exit 137."""
_SHARE_OF_MEMORY = 0.75
_SHARE_OF_MAX_MEMORY = 0.8
"""As `link.gunicorn.worker`: a worker near its limit gets no more threads."""


class Capacity(Struct, frozen=True):
    """The numbers and the reason for each."""

    workers: int
    workers_why: str
    threads: int
    most_threads: int
    """How many there may be while requests wait; the same if the number is fixed."""
    threads_why: str
    max_memory: int
    """The limit of a worker's resident memory in bytes."""
    max_memory_why: str


def capacity(site: Site, place: Place) -> Capacity:
    """The options' numbers; `auto` follows from the machine's CPUs and memory."""
    workers, workers_why = _workers(site, place)
    max_memory, max_memory_why = _max_memory(site, place, workers)
    threads, threads_why = _threads(site)
    most, most_why = _most_threads(site, workers, threads, max_memory)
    return Capacity(
        workers, workers_why, threads, most, f"{threads_why}{most_why}", max_memory, max_memory_why
    )


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


def _most_threads(site: Site, workers: int, threads: int, max_memory: int) -> tuple[int, str]:
    """Threads that a worker may have while requests wait in the queue, and the end of the reason."""
    if site.options.workers.threads != "auto":
        return threads, ""
    kind = app_server(site)
    if Feature.THREADS not in kind.features:
        return (
            threads,
            f"; {kind.title} adds none while requests wait" if Feature.WSGI in kind.features else "",
        )
    by_memory = (int(max_memory * _SHARE_OF_MAX_MEMORY) - _WORKER_MEMORY) // _THREAD_MEMORY
    bounds = [(MOST_THREADS, ""), (by_memory, ", as max_memory allows")]
    database = "Django" if site.facts.kind == "django" else site.facts.database
    if database:
        bounds.append(
            (_CONNECTIONS // workers, f", each perhaps with a connection to the database ({database})")
        )
    most, bound = min(bounds, key=lambda one: one[0])
    if most <= threads:
        return threads, f"; there are no more of them{bound}"
    return most, f"; up to {most} while requests wait and the threads do, too{bound}"
