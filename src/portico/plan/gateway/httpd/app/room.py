"""The threads of httpd's processes, and how many of them one of several sites may hold."""

from __future__ import annotations

from portico.plan.web.model import Web

THREADS = 128
"""Of a process: each is busy while the app works on a request, and none while a connection is idle."""
_LEAST = 4


def threads(connections: int) -> int:
    """Threads of one process, where a worker of nginx could hold so many connections."""
    return min(THREADS, max(16, connections))


def room(web: Web, weight: int, whole: int, parts: int = 1) -> list[str]:
    """The words that bound the requests of a process at one server of a balancer, by its weight among all of `whole`.

    One site of several holds half of the threads at most, and at least four: then it gets 503, and the others answer.
    Balancers with other times have a quarter together (`parts` of that half).
    A process asks another server of the balancer at once (`acquire`, in milliseconds).
    """
    if not web.hosts.is_beside_others:
        return []
    half = max(_LEAST, threads(web.processes.connections) // 2 // parts)
    return [f"max={max(1, half * weight // whole)}", "acquire=1"]
