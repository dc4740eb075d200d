"""The state of a gateway's site. Pure: an event and its time give the next state."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from portico import backoff

STEADY_SECONDS = 10.0
"""A failure after this much serving does not count as repeated."""
AT_ONCE_SECONDS = 0.05
SERVED_SECONDS = 2.0
"""The longest delay before a restart if the site served in between."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""The longest delay between starts: a start costs a second of CPU; `portico reload` after a repair does not wait.
"""


class Status(StrEnum):
    REFUSED = "refused"
    """It cannot be served beside the others, or not at all: a fault of its configuration."""
    WAITING = "waiting"
    """It starts when it is due."""
    STARTING = "starting"
    SERVING = "serving"
    DOWN = "down"
    """Its supervisor has ended; it restarts when it is due."""
    STOPPED = "stopped"
    """A user stopped it; a reload starts it again."""
    LEAVING = "leaving"


class SiteState(Struct, frozen=True):
    """`since` is the start of the status, `due` the time of the next start, `reason` why it does not serve."""

    status: Status = Status.WAITING
    since: float = 0.0
    due: float | None = None
    failures: int = 0
    reason: str = ""
    code: int | None = None

    @property
    def is_tried(self) -> bool:
        """Whether the outcome of the first start is known."""
        return self.code is not None or self.status not in (Status.WAITING, Status.STARTING)


def waiting(state: SiteState, now: float) -> SiteState:
    """To be started as soon as there is capacity."""
    return replace(state, status=Status.WAITING, since=now, due=now)


def started(state: SiteState, now: float) -> SiteState:
    return replace(state, status=Status.STARTING, since=now, due=None)


def serving(state: SiteState, now: float) -> SiteState:
    return replace(state, status=Status.SERVING, since=now, due=None, reason="")


def refused(state: SiteState, reason: str, now: float) -> SiteState:
    return replace(state, status=Status.REFUSED, since=now, due=None, reason=reason)


def stopped(state: SiteState, now: float) -> SiteState:
    """It does not run, and is not started again until a user asks for it."""
    return replace(state, status=Status.STOPPED, since=now, due=None, failures=0, reason="")


def leaving(state: SiteState, now: float) -> SiteState:
    return replace(state, status=Status.LEAVING, since=now, due=None)


def ended(state: SiteState, code: int, words: str, now: float) -> SiteState:
    """Its supervisor ended; negative codes are signals."""
    if code == 0 or state.status is Status.LEAVING:
        return replace(state, status=Status.STOPPED, since=now, due=None, failures=0, reason="", code=code)
    was_steady = state.status is Status.SERVING and now - state.since >= STEADY_SECONDS
    failures = 1 if was_steady else state.failures + 1
    served = now - state.since if state.status is Status.SERVING else None
    pause = pause_after(failures, served)
    return SiteState(Status.DOWN, now, now + pause, failures, words, code)


def pause_after(failures: int, served: float | None) -> float:
    """The delay grows for a site that cannot start; one that `served` restarts soon: that time counts as delay."""
    if failures <= 1 and served is not None:
        return AT_ONCE_SECONDS
    pause = backoff.pause(failures, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    return backoff.less_served(pause, served, longest=SERVED_SECONDS, least=AT_ONCE_SECONDS)
