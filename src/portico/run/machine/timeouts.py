"""Handles expired timeouts."""

from __future__ import annotations

from msgspec.structs import replace

from portico.errors import UNHEALTHY
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine import background, crash, reload, start, stop, undone
from portico.run.machine import event as was
from portico.run.machine.action import Action, StopMode
from portico.run.machine.state import KILLED_SECONDS, Phase, Release, State, Status, Step, then
from portico.run.machine.words import SERVER, silent_gateway, silent_server, unkillable

BY_SIGKILL = -9
LOOPING = 3
"""After this many crashes in a row the gateway no longer says "starting"."""
STATUS = "status "
"""The prefix of an answer by the gateway; anything else means that there was no answer."""


def tick(state: State, _: was.Tick, now: float) -> Step:
    actions: list[Action] = []
    if state.mending is not None and state.mending.due <= now:
        state, more = undone.mend(state, now)
        actions.extend(more)
    if state.gateway.is_due(now):
        state, more = _gateway_due(state, now)
        actions.extend(more)
    for number in [release.number for release in state.releases]:
        # Looked up again each time: the first timeout may have changed or ended the others.
        release = state.release(number)
        if release is not None and release.process.is_due(now):
            state, more = _release_due(state, release, now)
            actions.extend(more)
    for number in [one.id for one in state.background if one.process.is_due(now)]:
        state, more = _background_due(state, number, now)
        actions.extend(more)
    return state, tuple(actions)


def _background_due(state: State, number: int, now: float) -> Step:
    one = next((each for each in state.background if each.id == number), None)
    if one is None or not one.process.is_due(now):
        return state, ()
    if one.was_killed:
        return then(*background.given_up(state, one), stop.finish, now)
    return background.due(state, one, now)


def _gateway_due(state: State, now: float) -> Step:
    process = state.gateway
    if process.status is Status.RESTING:
        state = replace(state, gateway=process.to(Status.BOOTING, now))
        return state, (do.StartGateway(), do.AskGateway())
    if process.status is Status.LEAVING:
        return stop.gateway_late(state, now)
    if state.serves_pages and state.gateway.answer.startswith(STATUS):
        return then(state, (do.Say(notices.NoServer(state.gateway.answer)),), start.serve, now)
    return stop.fail(state, UNHEALTHY, (silent_gateway(state),), now)


def _release_due(state: State, release: Release, now: float) -> Step:
    handlers = {
        Status.RESTING: _start_again,
        Status.STANDBY: reload.drain,
        Status.DRAINING: _send_away,
        Status.LEAVING: _kill,
        Status.BOOTING: _too_late,
    }
    return handlers[release.process.status](state, release, now)


def _start_again(state: State, release: Release, now: float) -> Step:
    number, crashes = release.number, release.process.crashes
    if state.phase is Phase.STOPPING:
        return state.having(replace(release, process=replace(release.process, due=None))), ()
    release = replace(release, was_killed=False)
    return state.having(release.to(Status.BOOTING, now, release.timeouts.start_seconds)), (
        do.SetBooting(on=crashes < LOOPING),
        do.StartAppServer(number),
        do.AskAppServer(number, answers=1),
    )


def queue_empty(state: State, event: was.QueueEmpty, now: float) -> Step:
    release = state.release(event.number)
    if release is None or release.process.status is not Status.DRAINING:
        return state, ()
    return _send_away(state, release, now)


def _send_away(state: State, release: Release, now: float) -> Step:
    state = state.having(release.to(Status.LEAVING, now, release.timeouts.stop_seconds))
    return state, (do.EndAppServer(release.number, StopMode.DRAIN),)


def _kill(state: State, release: Release, now: float) -> Step:
    if release.was_killed:
        return _given_up(state, release, now)
    process = replace(release.process, due=now + KILLED_SECONDS)
    state = state.having(replace(release, process=process, was_killed=True))
    return state, (do.EndAppServer(release.number, StopMode.KILL),)


def _given_up(state: State, release: Release, now: float) -> Step:
    """It was killed and does not exit: the machine proceeds as if it had."""
    notice = do.Say(notices.Trouble(unkillable(SERVER)))
    exited = was.AppServerExited(release.number, BY_SIGKILL)
    return then(state, (notice,), lambda s, t: crash.app_server_exited(s, exited, t), now)


def _too_late(state: State, release: Release, now: float) -> Step:
    if release.was_killed:
        return _given_up(state, release, now)
    problems = (silent_server(release),)
    if state.phase is Phase.STOPPING:
        return _kill(state, release, now)
    if state.phase is Phase.STARTING:
        return stop.fail(state, UNHEALTHY, problems, now)
    if release.number != state.live:
        return reload.drop(state, release.number, UNHEALTHY, problems, now)
    # A restart that hangs is ended like a crash; its exit causes the next attempt.
    state, actions = _kill(state, release, now)
    return state, (do.Say(notices.Stuck(SERVER, release.process.answer)), *actions)
