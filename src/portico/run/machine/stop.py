"""Stopping: the gateway first, then the app; a failed start has nothing to finish."""

from __future__ import annotations

from msgspec.structs import replace

from portico.errors import FAILED, Problem
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine import background, conclude
from portico.run.machine import event as was
from portico.run.machine.action import Action, StopMode
from portico.run.machine.state import (
    DROP_SECONDS,
    KILLED_SECONDS,
    Phase,
    ProcessState,
    Release,
    State,
    Status,
    Step,
    StopStage,
    then,
)
from portico.run.machine.words import unkillable

LAST_SECONDS = 1.0
"""The time for an app server if the gateway used up the whole stop time: no client waits for its answers."""
CLOSE_SECONDS = 2.0
"""The gateway's requests are cut off this long before the end, after `State.goodbye_seconds`."""


def stop_asked(state: State, event: was.StopAsked, now: float) -> Step:
    if state.phase is Phase.STOPPING:
        return _hurry(state, now)
    if state.phase is not Phase.SERVING:
        return fail(state, event.code, (), now)
    # The gateway first: it stops accepting and finishes its requests; only then the app is no longer needed.
    seconds = state.timeouts.stop_seconds
    state = replace(state, phase=Phase.STOPPING, exit=do.Exit(event.code), stop_by=now + seconds)
    state, actions = then(*_end_trial(state, now), lambda s, t: background.end_all(s, StopMode.DRAIN, t), now)
    actions = (do.Say(notices.Stopping(seconds)), *conclude.stop(state, StopMode.DRAIN), *actions)
    if not state.gateway.is_running:
        # Clients must not wait for an nginx that will not start.
        actions += (do.EndGateway(StopMode.DRAIN),)
        return then(replace(state, gateway=ProcessState()), actions, end_app_servers, now)
    left = max(0.0, seconds - CLOSE_SECONDS - state.goodbye_seconds)
    state = replace(state, gateway=state.gateway.to(Status.LEAVING, now, left))
    return state, (*actions, do.EndGateway(StopMode.DRAIN))


def gateway_late(state: State, now: float) -> Step:
    """The gateway has requests that take too long: WebSockets get a Close, then all connections are closed, then it is
    killed.
    """
    if state.stop_stage is StopStage.NONE:
        return _say_goodbye(state, now)
    if state.stop_stage is StopStage.NOTIFIED:
        left = max(0.0, state.stop_by - now)
        state = replace(
            state, stop_stage=StopStage.CLOSED, gateway=state.gateway.to(Status.LEAVING, now, left)
        )
        return state, (do.EndGateway(StopMode.CLOSE),)
    if state.stop_stage is StopStage.KILLED:
        notice = do.Say(notices.Trouble(unkillable(state.program)))
        return then(replace(state, gateway=ProcessState()), (notice,), end_app_servers, now)
    gateway = replace(state.gateway, due=now + KILLED_SECONDS)
    return replace(state, stop_stage=StopStage.KILLED, gateway=gateway), (do.EndGateway(StopMode.KILL),)


def _say_goodbye(state: State, now: float) -> Step:
    gateway = state.gateway.to(Status.LEAVING, now, state.goodbye_seconds)
    state, actions = _end_servers(replace(state, stop_stage=StopStage.NOTIFIED, gateway=gateway), now)
    return state, (do.SayGoodbye(), *actions)


def _end_trial(state: State, now: float) -> Step:
    """A release that never served has nothing to finish."""
    trial = state.trial
    if trial is not None and trial.process.status is Status.PREPARING:
        return state.without(trial), (do.Forget(trial.number),)
    if trial is None or not trial.process.is_running:
        return state, ()
    state = state.having(trial.to(Status.LEAVING, now, DROP_SECONDS))
    return state, (do.EndAppServer(trial.number, StopMode.HURRY),)


def _hurry(state: State, now: float) -> Step:
    mode = StopMode.KILL if state.hurried else StopMode.HURRY
    actions: tuple[Action, ...] = () if state.hurried else (do.Say(notices.Hurrying()),)
    state = replace(state, hurried=True, stop_stage=StopStage.CLOSED)
    if state.gateway.is_running:
        state = replace(state, gateway=state.gateway.to(Status.LEAVING, now, DROP_SECONDS))
        actions += (do.EndGateway(mode),)
    actions += tuple(do.EndAppServer(g.number, StopMode.KILL) for g in state.releases if g.process.is_running)
    actions += conclude.stop(state, StopMode.KILL)
    state, more = background.kill_all(state, now)
    return then(state, (*actions, *more), finish, now)


def drained(state: State, _: was.Drained, now: float) -> Step:
    """Only idle connections are left: the gateway need not wait for them."""
    if state.phase is not Phase.STOPPING or state.gateway.status is not Status.LEAVING:
        return state, ()
    if state.stop_stage is not StopStage.NONE:
        return state, ()  # its connections are being closed: it logs each of them and exits by itself
    gateway = state.gateway.to(Status.LEAVING, now, DROP_SECONDS)
    return replace(state, gateway=gateway, stop_stage=StopStage.CLOSED), (do.EndGateway(StopMode.HURRY),)


def fail(state: State, code: int, problems: tuple[Problem, ...], now: float) -> Step:
    """Nothing serves yet, so there is nothing to finish: end everything and exit."""
    state = replace(state, phase=Phase.STOPPING, exit=do.Exit(code, problems), stop_stage=StopStage.CLOSED)
    state, actions = background.end_all(state, StopMode.HURRY, now, DROP_SECONDS)
    actions += conclude.stop(state, StopMode.DRAIN)
    if state.gateway.is_running:
        state = replace(state, gateway=state.gateway.to(Status.LEAVING, now, DROP_SECONDS))
        actions += (do.EndGateway(StopMode.HURRY),)
    for release in state.releases:
        if release.process.is_running:
            state = state.having(release.to(Status.LEAVING, now, DROP_SECONDS))
            actions += (do.EndAppServer(release.number, StopMode.HURRY),)
        else:  # a release that is still being planned has no server
            state = state.without(release)
            actions += (do.Forget(release.number),)
    return then(state, actions, finish, now)


def lost(state: State, event: was.Lost, now: float) -> Step:
    """No client can get an answer any more: end everything, with a message."""
    if state.phase is Phase.STOPPING:
        return state, ()
    return fail(state, FAILED, event.problems, now)


def end_app_servers(state: State, now: float) -> Step:
    """The gateway has exited: the app servers may stop."""
    return then(*_end_servers(state, now), finish, now)


def _end_servers(state: State, now: float) -> Step:
    actions: list[Action] = []
    for release in state.releases:
        if not release.process.is_running:
            state = state.without(release)
            actions.append(do.Forget(release.number))
        elif release.process.status is not Status.LEAVING:
            # The server does not get the time that the gateway used.
            seconds = max(LAST_SECONDS, state.stop_by - now)
            state = state.having(release.to(Status.LEAVING, now, seconds))
            actions.append(do.EndAppServer(release.number, StopMode.DRAIN))
    return state, tuple(actions)


def left(state: State, release: Release) -> Step:
    number = release.number
    actions: tuple[Action, ...] = (do.Forget(number),)
    if state.phase is Phase.SERVING and not release.was_dropped:
        actions += (do.Say(notices.ReleaseLeft(number, release.was_killed)),)
    return then(state.without(release), actions, finish, 0.0)


def finish(state: State, _: float) -> Step:
    """A stop is over when nothing runs any more."""
    is_over = state.phase is Phase.STOPPING and not state.gateway.is_running and not state.background
    if not is_over or any(release.process.is_running for release in state.releases):
        return state, ()
    return replace(state, phase=Phase.ENDED), (do.SetBooting(on=False), do.TakeDown(), state.exit)
