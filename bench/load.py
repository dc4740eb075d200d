"""The load of a workload, and which of its answers are wrong."""

from __future__ import annotations

from dataclasses import dataclass

from bench.workloads import Workload
from portico.measure.wrk import wrk


@dataclass(frozen=True)
class Load:
    """What wrk saw. `unexpected` counts answers with another status class than the workload's."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    unexpected: int
    socket_errors: int


def load(port: int, workload: Workload, seconds: float) -> Load:
    url = f"http://127.0.0.1:{port}{workload.path}"
    method, size, headers = workload.method, workload.body_bytes, workload.headers
    figures = wrk(url, seconds, method=method, body_bytes=size, headers=headers)
    failed = figures.above_399
    return Load(
        requests=figures.requests,
        seconds=figures.seconds,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        unexpected=figures.requests - failed if workload.status > 399 else failed,
        socket_errors=figures.socket_errors + figures.read_errors,
    )
