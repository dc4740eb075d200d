"""The background processes of a site: those of the release that clients get run, those of others are told to end."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from portico import backoff
from portico.errors import Problem
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine.action import Action, StopMode
from portico.run.machine.state import (
    KILLED_SECONDS,
    Background,
    ProcessState,
    State,
    Status,
    Step,
)
from portico.run.machine.words import unkillable

STEADY_SECONDS = 10.0
"""An end after this long does not count as repeated."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""No client waits for them, so a process that cannot run costs little."""


def follow_live(state: State, now: float) -> Step:
    """Those of the live release begin; those of other releases are told to end, and may run beside them until then."""
    old = [one for one in state.background if one.number != state.live]
    state, actions = _end(state, old, StopMode.DRAIN, now)
    live = state.release(state.live)
    if live is None or any(one.number == live.number and not one.is_leaving for one in state.background):
        return state, actions
    begun = [
        Background(at, name, live.number, ProcessState().to(Status.WELL, now), live.timeouts.stop_seconds)
        for at, name in enumerate(live.background, state.begun + 1)
    ]
    state = replace(state, background=(*state.background, *begun), begun=state.begun + len(begun))
    return state, (*actions, *map(_start, begun))


def end_all(state: State, mode: StopMode, now: float, seconds: float | None = None) -> Step:
    """All are told to end; the limit is the stop time of their releases, or `seconds`."""
    return _end(state, state.background, mode, now, seconds)


def kill_all(state: State, now: float) -> Step:
    """All are killed."""
    for one in state.background:
        process = one.process.to(Status.LEAVING, now, KILLED_SECONDS)
        state = state.having_background(replace(one, process=process, was_killed=True))
    return state, tuple(_ending(one, StopMode.KILL) for one in state.background)


def exited(state: State, one: Background, code: int, now: float) -> Step:
    """One of the live release ended by itself: it is started again after a pause, whatever its exit code."""
    is_steady = now - one.process.since >= STEADY_SECONDS
    crashes = 1 if is_steady else one.process.crashes + 1
    pause = backoff.pause(crashes, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    process = replace(one.process.to(Status.RESTING, now, pause), crashes=crashes)
    notice = do.Say(notices.Restarting(title(one.name), code, pause, crashes))
    return state.having_background(replace(one, process=process)), (notice,)


def due(state: State, one: Background, now: float) -> Step:
    """Its pause is over, or the time that it had to end."""
    if one.process.status is Status.RESTING:
        one = replace(one, process=one.process.to(Status.WELL, now))
        return state.having_background(one), (_start(one),)
    process = replace(one.process, due=now + KILLED_SECONDS)
    state = state.having_background(replace(one, process=process, was_killed=True))
    return state, (do.Say(notices.Trouble(_late(one))), _ending(one, StopMode.KILL))


def given_up(state: State, one: Background) -> Step:
    """It was killed and does not end: the machine proceeds as if it had."""
    return state.without_background(one), (do.Say(notices.Trouble(unkillable(title(one.name)))),)


def title(name: str) -> str:
    """What people are told that it is."""
    return f"process {name}"


def _end(
    state: State,
    some: Iterable[Background],
    mode: StopMode,
    now: float,
    seconds: float | None = None,
) -> Step:
    """Tell these to end, unless they were told; those that wait for a start are gone at once."""
    actions: list[Action] = []
    for one in some:
        if one.process.status is Status.RESTING:
            state = state.without_background(one)
        elif not one.is_leaving:
            limit = one.stop_seconds if seconds is None else seconds
            one = replace(one, process=one.process.to(Status.LEAVING, now, limit))
            state = state.having_background(one)
            actions.append(_ending(one, mode))
    return state, tuple(actions)


def _start(one: Background) -> Action:
    return do.StartBackground(one.id, one.number, one.name)


def _ending(one: Background, mode: StopMode) -> Action:
    return do.EndBackground(one.id, mode)


def _late(one: Background) -> Problem:
    what = (
        f"{title(one.name)} of release {one.number} did not end within {one.stop_seconds:g} s: it is killed"
    )
    return Problem(
        "processes", what, "it must end soon after SIGTERM; request_timeout decides how long it has"
    )
