"""Rules for the options of [workers], beyond their types."""

from __future__ import annotations

from portico.site.checks.rule import LARGEST, Broken, Rules
from portico.site.options import Options
from portico.values import Duration, Size

_MOST_REQUESTS = 1 << 40
_LEAST_MEMORY = Size(32 << 20)
_SHORTEST_QUEUE = 0.01


def _count(options: Options) -> Broken:
    if isinstance(options.workers.count, int) and not 1 <= options.workers.count <= 512:
        yield f"{options.workers.count} is out of range", 'expected 1 to 512, or "auto"'


def _threads(options: Options) -> Broken:
    if isinstance(options.workers.threads, int) and not 1 <= options.workers.threads <= 512:
        yield f"{options.workers.threads} is out of range", 'expected 1 to 512, or "auto"'


def _max_requests(options: Options) -> Broken:
    if not 0 <= options.workers.max_requests <= _MOST_REQUESTS:
        yield f"{options.workers.max_requests} is out of range", f"expected 0 (disabled) to {_MOST_REQUESTS}"


def _max_memory(options: Options) -> Broken:
    size = options.workers.max_memory
    if size is not None and not _LEAST_MEMORY <= size <= LARGEST:
        yield f"{size} is out of range", f"expected {_LEAST_MEMORY} to 1024GiB; Python itself takes 20MiB"


def _queue(options: Options) -> Broken:
    queue = options.workers.queue
    if queue and not _SHORTEST_QUEUE <= queue <= options.request_timeout / 2:
        longest = Duration(options.request_timeout / 2)
        yield (
            f"{queue} is out of range",
            f"expected 10ms to {longest}, half of request_timeout; or 0s for no limit",
        )


WORKER_RULES: Rules = {
    "workers.count": _count,
    "workers.threads": _threads,
    "workers.max_requests": _max_requests,
    "workers.max_memory": _max_memory,
    "workers.queue": _queue,
}
