"""Answers of a control socket to commands; the answer about the whole site is `status`."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.protocol.status import CertificateStatus
from portico.protocol.trace import Trace


class StopBegun(Struct, frozen=True):
    """The pid of the Portico that finishes its requests."""

    stopping: int


class DrainStep(Struct, frozen=True):
    """`status` is draining and then drained; with `undo` returning and then in."""

    name: str
    status: str


class Scaled(Struct, frozen=True):
    """Workers now, `before`, those that still finish their requests, and the configured number.

    `worker_memory` is the limit of each in bytes, `cpus` what all of them share.
    """

    workers: int
    before: int
    leaving: int
    configured: int
    worker_memory: int
    cpus: float


class Lifted(Struct, frozen=True):
    """The clients whose bans were ended."""

    clients: tuple[str, ...]


class Purged(Struct, frozen=True):
    """How many answers were deleted from the cache; `no_cache` says why the site has none, empty if it has one."""

    purged: int
    no_cache: str = ""


class MaintenanceEnded(Struct, frozen=True):
    was_closed: bool


class PauseBegun(Struct, frozen=True):
    """Nothing is in progress; the number of requests that wait."""

    waiting: int
    left_seconds: float


class PauseEnded(Struct, frozen=True):
    was_paused: bool


class CertificateAnswer(Struct, frozen=True):
    """None for a site without HTTPS."""

    certificate: CertificateStatus | None


class RenewStep(Struct, frozen=True, omit_defaults=True):
    """`step` is asking, looked, rehearsed or served."""

    step: str
    names: tuple[str, ...] = ()
    server: str = ""
    days_left: float | None = None
    issuer: str = ""


class MetricsAnswer(Struct, frozen=True):
    """In Prometheus' format."""

    text: str


class TraceAnswer(Struct, frozen=True):
    """The saved data of `portico trace` about a request; None if there is none."""

    trace: Trace | None


class Verdict(Struct, frozen=True):
    """The gateway's complaint about a site's files; empty if it accepts them."""

    problems: tuple[Problem, ...] = ()


class Halted(Struct, frozen=True):
    name: str
    status: str
