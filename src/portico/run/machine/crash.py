"""A process exited by itself. Before anything serves, the run ends; afterwards the process is restarted."""

from __future__ import annotations

from msgspec.structs import replace

from portico import backoff
from portico.errors import FAILED
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine import background, reload, stop
from portico.run.machine import event as was
from portico.run.machine.action import Action
from portico.run.machine.state import Phase, ProcessState, Release, State, Status, Step, then
from portico.run.machine.words import (
    SERVER,
    died,
    died_booting,
    exit_code,
    gateway_died,
)

STEADY_SECONDS = 10.0
"""A crash after this long does not count as repeated (systemd's StartLimitIntervalSec is the same)."""
FIRST_PAUSE_SECONDS = 0.05
"""The delay before the first restart: the gateway's orphaned workers need it to close a listening socket of their own
(`run.sockets.listening`), which would otherwise cost the new master 500 ms (it retries a failed bind every 500 ms).
"""
SECOND_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
SERVED_SECONDS = 2.0
"""The longest delay for a process that served in between, including the time it served: each start serves clients,
so its cost is justified."""
DOWN_SECONDS = 1.0
"""During a delay this long clients do not wait in the backlog: they get the "down" page at once."""

_REPLACED = (Status.STANDBY, Status.DRAINING, Status.LEAVING)


def app_server_exited(state: State, event: was.AppServerExited, now: float) -> Step:
    release = state.release(event.number)
    if release is None:
        return state, ()
    if release.process.status is Status.RESTING:
        return state, ()  # reported already
    if state.phase is Phase.STARTING:
        state = state.without(release)
        return stop.fail(state, exit_code(event), (died_booting(event.code),), now)
    if release.process.status in _REPLACED or state.phase is Phase.STOPPING:
        return stop.left(state, release)
    if release.process.status is Status.CANARY:
        return _canary_died(state, release, event.code, now)
    if event.number != state.live:
        state = state.having(release.to(Status.ABSENT, now))
        return reload.drop(state, event.number, exit_code(event), (died_booting(event.code),), now)
    return _live_died(state, release, event, now)


def _live_died(state: State, release: Release, event: was.AppServerExited, now: float) -> Step:
    process = _crashed(release.process, now)
    if event.cannot_load and _due_in(process, now) < DOWN_SECONDS:
        process = replace(
            process, due=now + DOWN_SECONDS
        )  # no worker can load it: clients do not wait for the next attempt
    pause = _due_in(process, now)
    actions: tuple[Action, ...] = (do.Say(notices.Restarting(SERVER, event.code, pause, process.crashes)),)
    state = state.having(replace(release, process=process))
    if pause >= DOWN_SECONDS and state.canary is not None:
        # The canary works and this release does not: the canary gets all requests.
        return then(state, (*actions, do.EmptyQueue(release.number)), reload.promote, now)
    if pause >= DOWN_SECONDS and state.standby is not None:
        return then(state, (*actions, do.EmptyQueue(release.number)), reload.take_over, now)
    if pause >= DOWN_SECONDS:
        # Last: a listener that asks after this notice gets the "down" page.
        actions = (do.TakeDown(), do.EmptyQueue(release.number), do.SetBooting(on=False), *actions)
    return state, actions


def _canary_died(state: State, canary: Release, code: int, now: float) -> Step:
    """Its share goes back to the live release; its requests in progress are retried there once (GET) or lost."""
    state = state.having(canary.to(Status.ABSENT, now))
    back = reload.make_live(state)
    return then(state, (back,), lambda s, t: reload.drop(s, canary.number, FAILED, (died(code),), t), now)


def background_exited(state: State, event: was.BackgroundExited, now: float) -> Step:
    one = next((each for each in state.background if each.id == event.id), None)
    if one is None or one.process.status is Status.RESTING:
        return state, ()
    if one.is_leaving:
        return stop.finish(state.without_background(one), now)
    return background.exited(state, one, event.code, now)


def gateway_exited(state: State, event: was.GatewayExited, now: float) -> Step:
    if state.phase is Phase.STARTING:
        state = replace(state, gateway=ProcessState())
        return stop.fail(state, FAILED, (gateway_died(state, event),), now)
    if state.phase is Phase.STOPPING:
        state = replace(state, gateway=ProcessState())
        return then(state, (), stop.end_app_servers, now)
    process = _crashed(state.gateway, now)
    notice = notices.Restarting(state.program, event.code, _due_in(process, now), process.crashes)
    return replace(state, gateway=process), (do.Say(notice),)


def _crashed(process: ProcessState, now: float) -> ProcessState:
    served = now - process.since if process.status is Status.WELL else None
    is_first = served is not None and served >= STEADY_SECONDS
    crashes = 1 if is_first else process.crashes + 1
    down_since = now if process.down_since is None else process.down_since
    resting = process.to(Status.RESTING, now, _pause(crashes, served))
    return replace(resting, crashes=crashes, down_since=down_since)


def _due_in(process: ProcessState, now: float) -> float:
    return 0.0 if process.due is None else process.due - now


def _pause(crashes: int, served: float | None) -> float:
    """The delay before the next start, for a process that cannot start; the time it `served` counts as delay."""
    if crashes <= 1:
        return FIRST_PAUSE_SECONDS
    pause = backoff.pause(crashes - 1, first=SECOND_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    return backoff.less_served(pause, served, longest=SERVED_SECONDS, least=FIRST_PAUSE_SECONDS)
