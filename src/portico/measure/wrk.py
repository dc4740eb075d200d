"""The load: wrk, one thread, and connections that are always busy (a closed loop)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from portico.errors import Problem, UsageError

CONNECTIONS = 64
_SCRIPT = Path(__file__).with_name("load.lua")
_ANSWER_SECONDS = 10
_GRACE_SECONDS = 60
_QUOTED = 300


class LoadError(Exception):
    """wrk itself failed; the text is its own message."""


class Figures(msgspec.Struct, frozen=True):
    """What wrk saw. `above_399` are answers with such a status, `socket_errors` connections that timed out or could
    not be used, `read_errors` those that ended early: so wrk counts every answer that ends with its connection, too.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    above_399: int
    socket_errors: int
    read_errors: int


def refuse_without_wrk(command: str = "bench") -> None:
    """Raises UsageError if wrk is not installed."""
    if shutil.which("wrk") is None:
        what = "wrk is not installed; it makes the load"
        raise UsageError(Problem(command, what, "sudo apt install wrk (Fedora, Arch, Alpine: the same name)"))


def wrk(
    url: str,
    seconds: float,
    connections: int = CONNECTIONS,
    *,
    method: str = "GET",
    body_bytes: int = 0,
    headers: tuple[str, ...] = (),
    paths: Sequence[str] = (),
) -> Figures:
    """Requests to one URL for whole seconds, at least one; with `paths`, to each of them in turn, at its server.
    Each of `headers` is `Name: value`. Raises LoadError.
    """
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    argv += ["--timeout", f"{_ANSWER_SECONDS}s", "--latency"]
    argv += [word for header in headers for word in ("-H", header)]
    argv += ["-s", str(_SCRIPT), url, "--", method, str(body_bytes)]
    with tempfile.NamedTemporaryFile("w", prefix="portico-paths-") as file:
        if paths:
            file.write("".join(f"{path}\n" for path in paths))
            file.flush()
            argv.append(file.name)
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
        )
    if done.returncode:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()[-_QUOTED:]}")
    return msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=Figures)


def children_seconds() -> float:
    """The CPU time of children that have ended; its growth around a call of `wrk` is what wrk itself used."""
    times = os.times()
    return times.children_user + times.children_system
