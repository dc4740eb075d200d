"""The load: wrk, one thread, 64 connections that are always busy (a closed loop)."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.workloads import Workload

CONNECTIONS = 64
_SCRIPT = Path(__file__).with_name("load.lua")


class LoadError(Exception):
    """wrk itself failed; the text is what it said."""


class _Figures(msgspec.Struct):
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    above_399: int
    socket_errors: int


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
    figures = _wrk(f"http://127.0.0.1:{port}{workload.path}", workload, seconds)
    failed = figures.above_399
    return Load(
        requests=figures.requests,
        seconds=figures.seconds,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        unexpected=figures.requests - failed if workload.status > 399 else failed,
        socket_errors=figures.socket_errors,
    )


def _wrk(url: str, workload: Workload, seconds: float) -> _Figures:
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "--latency"]
    argv += [word for header in workload.headers for word in ("-H", header)]
    argv += ["-s", str(_SCRIPT), url, "--", workload.method, str(workload.body_bytes)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=_Figures)
