"""Every command of a control socket: one row each, which the socket, its clients and the tests use.

A command is an HTTP request: its arguments are the query, its answer is a stream of JSON lines.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct

from portico.protocol import notices
from portico.protocol.answers import (
    CertificateAnswer,
    DrainStep,
    Halted,
    Lifted,
    MaintenanceEnded,
    MetricsAnswer,
    PauseBegun,
    PauseEnded,
    Purged,
    RenewStep,
    Scaled,
    StopBegun,
    TraceAnswer,
    Verdict,
)
from portico.protocol.feed import Item
from portico.protocol.notices import Notice
from portico.protocol.status import Maintenance, Status

A = TypeVar("A", bound=Struct)
R = TypeVar("R")


class Who(Enum):
    """Who may send a command; root always may."""

    OWNER = "who runs Portico"
    APP = "who runs Portico, and the user of the app"


class Command(NamedTuple, Generic[A, R]):
    """`name` is method and path, `args` the type of its query, `answer` the type of each line of the answer."""

    name: str
    args: type[A]
    answer: Any
    who: Who = Who.OWNER


class Handler(NamedTuple):
    """The handler of a command. A PorticoError from `give` reaches the client."""

    command: Command[Any, Any]
    give: Callable[[Any], AsyncGenerator[Any, None]]


def handled(command: Command[A, R], give: Callable[[A], AsyncGenerator[R, None]]) -> Handler:
    """The same, with the types of both checked."""
    return Handler(command, give)


class Args(Struct, frozen=True, omit_defaults=True):
    """A command without arguments, and the base of all others."""


class Reload(Args, frozen=True):
    """`path` is the directory of the new code, empty for the current one; `canary` is its share in per cent, empty
    for everything.
    """

    path: str = ""
    canary: str = ""


class CloseForMaintenance(Args, frozen=True):
    message: str = ""
    allow: str = ""
    """Addresses and ranges, separated by commas."""


class BeginPause(Args, frozen=True, rename={"length": "for"}):
    length: str = ""


class Purge(Args, frozen=True):
    what: str = ""
    """One a line."""


class SetWorkers(Args, frozen=True):
    workers: str = ""


class DrainServer(Args, frozen=True):
    """With `undo` it gets requests again, with `when_well` only after it has answered well."""

    server: str = ""
    undo: bool = False
    when_well: bool = False


class RenewCertificate(Args, frozen=True):
    dry_run: bool = False


class FollowLive(Args, frozen=True):
    once: bool = False


class LiftBans(Args, frozen=True):
    client: str = ""
    """An address, an IPv6 network of 64 bits, or "all"."""


class OfRequest(Args, frozen=True):
    id: str = ""


class OfSite(Args, frozen=True):
    site: str = ""


class FilesOfSite(Args, frozen=True):
    site: str = ""
    directory: str = ""


STATUS: Command[Args, Status] = Command("GET /status", Args, Status)
RELOAD: Command[Reload, Notice] = Command("POST /reload", Reload, notices.ANY)
PROMOTE: Command[Args, Notice] = Command("POST /promote", Args, notices.ANY)
ABORT: Command[Args, Notice] = Command("POST /abort", Args, notices.ANY)
ROLLBACK: Command[Args, Notice] = Command("POST /rollback", Args, notices.ANY)
STOP: Command[Args, StopBegun] = Command("POST /stop", Args, StopBegun)
DRAIN: Command[DrainServer, DrainStep] = Command("POST /drain", DrainServer, DrainStep)
SCALE: Command[SetWorkers, Scaled] = Command("POST /scale", SetWorkers, Scaled)
PURGE: Command[Purge, Purged] = Command("POST /purge", Purge, Purged, Who.APP)
CLOSE: Command[CloseForMaintenance, Maintenance] = Command(
    "POST /maintenance/on", CloseForMaintenance, Maintenance
)
OPEN: Command[Args, MaintenanceEnded] = Command("POST /maintenance/off", Args, MaintenanceEnded)
PAUSE: Command[BeginPause, PauseBegun] = Command("POST /pause", BeginPause, PauseBegun)
RESUME: Command[Args, PauseEnded] = Command("POST /resume", Args, PauseEnded)
CERTIFICATE: Command[Args, CertificateAnswer] = Command("GET /cert", Args, CertificateAnswer)
RENEW: Command[RenewCertificate, RenewStep] = Command("POST /cert/renew", RenewCertificate, RenewStep)
LIFT: Command[LiftBans, Lifted] = Command("POST /bans/lift", LiftBans, Lifted)
LIVE: Command[FollowLive, Item] = Command("GET /live", FollowLive, Item)
METRICS: Command[Args, MetricsAnswer] = Command("GET /metrics", Args, MetricsAnswer)
TRACE: Command[OfRequest, TraceAnswer] = Command("GET /trace", OfRequest, TraceAnswer)
# Commands of a gateway of several sites, from the supervisors of its sites
TRY: Command[FilesOfSite, Verdict] = Command("POST /try", FilesOfSite, Verdict)
USE: Command[FilesOfSite, Verdict] = Command("POST /use", FilesOfSite, Verdict)
LEAVE: Command[OfSite, Verdict] = Command("POST /leave", OfSite, Verdict)
READY: Command[OfSite, Verdict] = Command("POST /ready", OfSite, Verdict)
# and from people
START: Command[OfSite, Notice] = Command("POST /start", OfSite, notices.ANY)
HALT: Command[OfSite, Halted] = Command("POST /halt", OfSite, Halted)

COMMANDS: tuple[Command[Any, Any], ...] = (
    STATUS, RELOAD, PROMOTE, ABORT, ROLLBACK, STOP, DRAIN, SCALE, PURGE, CLOSE, OPEN, PAUSE, RESUME, CERTIFICATE, RENEW,
    LIFT, LIVE, METRICS, TRACE, TRY, USE, LEAVE, READY, START, HALT,
)  # fmt: skip
