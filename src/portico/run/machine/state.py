"""What the supervisor knows: one immutable value, and the words for where a process is in its life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from portico.errors import DONE
from portico.run.machine import action as do
from portico.run.machine.action import Action

DROP_SECONDS = 5.0
"""What is ended because it failed has nothing to finish: killed after this long."""
KILLED_SECONDS = 5.0
"""What was killed and has not ended by then (it waits for a disk that does not answer) is not waited for."""


class Phase(StrEnum):
    IDLE = "idle"
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    ENDED = "ended"


class Status(StrEnum):
    """Where one process, or one release of the app, is in its life."""

    ABSENT = "absent"
    PLANNING = "planning"
    CHECKING = "checking"
    BOOTING = "booting"
    WELL = "well"
    RESTING = "resting"
    """It crashed; it is started again when it is due."""
    CANARY = "canary"
    """It is well, and gets a share of the requests."""
    STANDBY = "standby"
    """Replaced, and kept running for a while so that a rollback finds it."""
    DRAINING = "draining"
    """Replaced, still taking what reached its socket; told to leave when nothing waits there any more."""
    LEAVING = "leaving"


_GONE = do.Exit(DONE)
_RUNNING = frozenset(
    {Status.BOOTING, Status.WELL, Status.CANARY, Status.STANDBY, Status.DRAINING, Status.LEAVING}
)


class StopStage(StrEnum):
    """How far a stop has got when nginx takes too long."""

    NONE = "none"
    NOTIFIED = "notified"
    """The app servers are stopping: WebSockets get Close 1001 while nginx still passes it on."""
    CLOSED = "closed"
    """nginx's connections were closed: it is killed next."""
    KILLED = "killed"
    """If it does not end now, nobody waits for it."""


GOODBYE_SECONDS = 1.0
"""What clients of WebSockets get to answer Close 1001 before nginx closes their connections."""


@dataclass(frozen=True)
class Timeouts:
    """What a release's plan says of time."""

    start_seconds: float
    """What it may take to become well."""
    stop_seconds: float
    """What it may take to leave."""
    standby_seconds: float
    """So long the release that it replaced is kept for a rollback."""


@dataclass(frozen=True)
class ReloadRequest:
    """A reload that was asked for and has not begun: see event.ReloadAsked."""

    path: str = ""
    tenths: int = 0


@dataclass(frozen=True)
class ProcessState:
    """What is known of nginx or of one release of the app.

    `due` is when the status times out, `since` when it began, `down_since` when service was lost.
    """

    status: Status = Status.ABSENT
    since: float = 0.0
    due: float | None = None
    crashes: int = 0
    down_since: float | None = None
    answer: str = ""
    hint: str = ""
    """What may help against the answer."""

    @property
    def is_running(self) -> bool:
        return self.status in _RUNNING

    def is_due(self, now: float) -> bool:
        return self.due is not None and self.due <= now

    def to(self, status: Status, now: float, seconds: float | None = None) -> ProcessState:
        return replace(self, status=status, since=now, due=None if seconds is None else now + seconds)


@dataclass(frozen=True)
class Release:
    number: int
    process: ProcessState
    timeouts: Timeouts
    """Of its plan; while that is made, of the release that serves."""
    gateway_changed: bool = False
    rules_changed: bool = False
    """Its access rules differ from those of the release that served when it was planned."""
    began: float = 0.0
    """When it was asked for."""
    tenths: int = 0
    """What it gets as a canary; 0 when it is to get everything at once."""
    fails: bool = False
    """It is up, and answered its health path with an error."""
    was_dropped: bool = False
    was_killed: bool = False

    @property
    def is_trial(self) -> bool:
        return self.process.status in (Status.PLANNING, Status.CHECKING, Status.BOOTING)

    def to(self, status: Status, now: float, seconds: float | None = None) -> Release:
        return replace(self, process=self.process.to(status, now, seconds))


@dataclass(frozen=True)
class Mending:
    """What nginx should have could not be put in place: tried again when it is due."""

    since: float
    due: float
    was_tried: bool = False


@dataclass(frozen=True)
class State:
    """Everything the supervisor knows. `live` is the release clients get, 0 for none yet."""

    timeouts: Timeouts
    """Of the release that clients get; before there is one, of the first."""
    program: str
    """What the gateway's process is called."""
    serves_pages: bool = False
    """No app is run here: while no server elsewhere answers well, the gateway still serves a page that says so."""
    goodbye_seconds: float = GOODBYE_SECONDS
    phase: Phase = Phase.IDLE
    began: float = 0.0
    gateway: ProcessState = ProcessState()
    releases: tuple[Release, ...] = ()
    live: int = 0
    newest: int = 0
    clients_wait: bool = False
    """As event.Begin says."""
    request: ReloadRequest | None = None
    hurried: bool = False
    stop_by: float = 0.0
    stop_stage: StopStage = StopStage.NONE
    mending: Mending | None = None
    exit: do.Exit = _GONE

    def release(self, number: int) -> Release | None:
        return next((g for g in self.releases if g.number == number), None)

    @property
    def trial(self) -> Release | None:
        """The release a reload is trying, if one is."""
        return next((g for g in self.releases if g.number != self.live and g.is_trial), None)

    @property
    def canary(self) -> Release | None:
        return self._in(Status.CANARY)

    @property
    def standby(self) -> Release | None:
        return self._in(Status.STANDBY)

    def _in(self, status: Status) -> Release | None:
        return next((g for g in self.releases if g.process.status is status), None)

    def with_live(self, release: Release) -> State:
        """Clients get that one."""
        return replace(self, live=release.number, timeouts=release.timeouts)

    def having(self, release: Release) -> State:
        others = [g for g in self.releases if g.number != release.number]
        return replace(self, releases=tuple(sorted([*others, release], key=lambda g: g.number)))

    def without(self, release: Release) -> State:
        return replace(self, releases=tuple(g for g in self.releases if g.number != release.number))


Step = tuple[State, tuple[Action, ...]]


def then(state: State, actions: Iterable[Action], follow: Callable[[State, float], Step], now: float) -> Step:
    """Those actions, and what follows from the state they lead to."""
    state, more = follow(state, now)
    return state, (*actions, *more)
