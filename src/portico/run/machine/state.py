"""The supervisor's knowledge: one immutable value, and the names for the stages in a process's life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import DONE
from portico.run.machine import action as do
from portico.run.machine.action import Action

DROP_SECONDS = 5.0
"""A failed process has nothing to finish: it is killed after this time."""
KILLED_SECONDS = 5.0
"""A killed process that has not exited by then (it waits for a disk that does not answer) is not waited for."""


class Phase(StrEnum):
    IDLE = "idle"
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    ENDED = "ended"


class Status(StrEnum):
    """The stage in the life of a process, or of a release of the app."""

    ABSENT = "absent"
    PLANNING = "planning"
    CHECKING = "checking"
    PREPARING = "preparing"
    """The command before the release runs."""
    BOOTING = "booting"
    WELL = "well"
    RESTING = "resting"
    """It crashed; it restarts when it is due."""
    CANARY = "canary"
    """It is healthy, and gets a share of the requests."""
    STANDBY = "standby"
    """It was replaced, and stays for a while for a rollback."""
    DRAINING = "draining"
    """It was replaced, and still serves its socket's queue; it is stopped once nothing waits there."""
    LEAVING = "leaving"


_GONE = do.Exit(DONE)
_TRIED = frozenset({Status.PLANNING, Status.CHECKING, Status.PREPARING, Status.BOOTING})
_RUNNING = frozenset(
    {Status.BOOTING, Status.WELL, Status.CANARY, Status.STANDBY, Status.DRAINING, Status.LEAVING}
)


class StopStage(StrEnum):
    """The progress of a stop when the gateway takes too long."""

    NONE = "none"
    NOTIFIED = "notified"
    """The app servers are stopping: WebSockets get Close 1001 while the gateway still passes it on."""
    CLOSED = "closed"
    """The gateway's connections were closed: the next step kills it."""
    KILLED = "killed"
    """If it does not exit now, the stop no longer waits."""


GOODBYE_SECONDS = 1.0
"""The time that clients of WebSockets have to answer Close 1001 before the gateway closes their connections."""


class Timeouts(Struct, frozen=True):
    """The times in a release's plan."""

    start_seconds: float
    """The time limit to become healthy."""
    stop_seconds: float
    """The time limit to stop."""
    standby_seconds: float
    """How long the replaced release is kept for a rollback."""


class ReloadRequest(Struct, frozen=True):
    """A requested reload that has not begun: see event.ReloadAsked."""

    path: str = ""
    tenths: int = 0


class ProcessState(Struct, frozen=True):
    """The state of the gateway or of one release of the app.

    `due` is when the status times out, `since` when it began, `down_since` when service was lost.
    """

    status: Status = Status.ABSENT
    since: float = 0.0
    due: float | None = None
    crashes: int = 0
    down_since: float | None = None
    answer: str = ""
    hint: str = ""
    """Advice about the answer."""

    @property
    def is_running(self) -> bool:
        return self.status in _RUNNING

    def is_due(self, now: float) -> bool:
        return self.due is not None and self.due <= now

    def to(self, status: Status, now: float, seconds: float | None = None) -> ProcessState:
        return replace(self, status=status, since=now, due=None if seconds is None else now + seconds)


class Release(Struct, frozen=True):
    number: int
    process: ProcessState
    timeouts: Timeouts
    """From its plan; while that is made, from the serving release."""
    gateway_changed: bool = False
    prepares: bool = False
    """A command runs before it is started."""
    rules_changed: bool = False
    """Its access rules differ from those of the serving release when it was planned."""
    began: float = 0.0
    """When it was requested."""
    tenths: int = 0
    """The share as a canary; 0 if it gets all requests at once."""
    fails: bool = False
    """It is up, and answered its health path with an error."""
    was_dropped: bool = False
    was_killed: bool = False
    background: tuple[str, ...] = ()
    """The names of its background processes."""
    concludes: bool = False
    """A command runs after it has begun to serve."""

    @property
    def is_trial(self) -> bool:
        return self.process.status in _TRIED

    def to(self, status: Status, now: float, seconds: float | None = None) -> Release:
        return replace(self, process=self.process.to(status, now, seconds))


class Background(Struct, frozen=True):
    """A background process of the release `number`: it runs (WELL), waits for its next start (RESTING), or was told
    to end (LEAVING).
    """

    id: int
    name: str
    number: int
    process: ProcessState
    stop_seconds: float
    """The time that it has to end."""
    was_killed: bool = False

    @property
    def is_leaving(self) -> bool:
        return self.process.status is Status.LEAVING


class Mending(Struct, frozen=True):
    """The files for the gateway could not be installed: tried again when it is due."""

    since: float
    due: float
    was_tried: bool = False


class State(Struct, frozen=True):
    """The supervisor's whole state. `live` is the release that clients get, 0 for none yet."""

    timeouts: Timeouts
    """From the release that clients get; before there is one, from the first."""
    program: str
    """The name of the gateway's process."""
    serves_pages: bool = False
    """No app runs here: if no server elsewhere answers well, the gateway still serves a page that says so."""
    goodbye_seconds: float = GOODBYE_SECONDS
    phase: Phase = Phase.IDLE
    began: float = 0.0
    gateway: ProcessState = ProcessState()
    releases: tuple[Release, ...] = ()
    live: int = 0
    newest: int = 0
    clients_wait: bool = False
    """As in event.Begin."""
    request: ReloadRequest | None = None
    hurried: bool = False
    stop_by: float = 0.0
    stop_stage: StopStage = StopStage.NONE
    mending: Mending | None = None
    background: tuple[Background, ...] = ()
    begun: int = 0
    """The last id of a background process."""
    concluding: int = 0
    """The release whose command after it was begun and not told to end; 0 for none. It may have ended by itself."""
    exit: do.Exit = _GONE

    def release(self, number: int) -> Release | None:
        return next((g for g in self.releases if g.number == number), None)

    @property
    def trial(self) -> Release | None:
        """The release that a reload is checking, if any."""
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
        """Whether clients get this release."""
        return replace(self, live=release.number, timeouts=release.timeouts)

    def having(self, release: Release) -> State:
        others = [g for g in self.releases if g.number != release.number]
        return replace(self, releases=tuple(sorted([*others, release], key=lambda g: g.number)))

    def without(self, release: Release) -> State:
        return replace(self, releases=tuple(g for g in self.releases if g.number != release.number))

    def having_background(self, one: Background) -> State:
        """With this one in the place of the same."""
        return replace(self, background=tuple(one if b.id == one.id else b for b in self.background))

    def without_background(self, one: Background) -> State:
        return replace(self, background=tuple(b for b in self.background if b.id != one.id))


Step = tuple[State, tuple[Action, ...]]


def then(state: State, actions: Iterable[Action], follow: Callable[[State, float], Step], now: float) -> Step:
    """These actions, and those that follow from the new state."""
    state, more = follow(state, now)
    return state, (*actions, *more)
