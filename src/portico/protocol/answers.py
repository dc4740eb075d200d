"""What a control socket answers to commands; what it tells of the whole site is `status`."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.protocol.status import CertificateStatus
from portico.protocol.trace import Trace


class StopBegun(Struct, frozen=True):
    """The pid of the Portico that finishes what it has."""

    stopping: int


class DrainStep(Struct, frozen=True):
    """`status` is draining and then drained; with `undo` returning and then in."""

    name: str
    status: str


class Scaled(Struct, frozen=True):
    """Workers now, `before`, those that still finish what they have, and those that are configured.

    `worker_memory` is what each has in bytes, `cpus` what all of them share.
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
    """How many answers were deleted from nginx's cache."""

    purged: int


class MaintenanceEnded(Struct, frozen=True):
    was_closed: bool


class PauseBegun(Struct, frozen=True):
    """Nothing is in progress; so many requests wait."""

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
    """As Prometheus reads them."""

    text: str


class TraceAnswer(Struct, frozen=True):
    """What `portico trace` saved of a request; None when there is nothing."""

    trace: Trace | None


class Verdict(Struct, frozen=True):
    """What a gateway has against a site's files; nothing when it takes them."""

    problems: tuple[Problem, ...] = ()


class Halted(Struct, frozen=True):
    name: str
    status: str
