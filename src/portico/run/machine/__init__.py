"""The supervisor as a pure function: given an event and its time, it returns the next state and the actions.

No I/O and no clock: `step` is a function, and its tests are histories (events in, actions out). `loop`
turns the world into events and performs the actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portico.run.machine import crash, reload, start, stop, timeouts, undone
from portico.run.machine import event as was
from portico.run.machine.event import Event
from portico.run.machine.state import Phase, State, Step, Timeouts

__all__ = ["Timeouts", "State", "Step", "step", "wake_at", "way_back"]

way_back = undone.way_back


def step(state: State, event: Event, now: float) -> Step:
    """The next state and the actions, in order. `now` is a monotonic time in seconds."""
    if state.phase is Phase.ENDED:
        return state, ()
    return HANDLERS[type(event)](state, event, now)


def wake_at(state: State) -> float | None:
    """The time of the machine's next Tick."""
    mending = state.mending.due if state.mending else None
    of_background = (one.process.due for one in state.background)
    dues = [mending, state.gateway.due, *(release.process.due for release in state.releases), *of_background]
    return min((due for due in dues if due is not None), default=None)


HANDLERS: Mapping[type[Event], Callable[[State, Any, float], Step]] = {
    was.Begin: start.begin,
    was.FilesAccepted: start.files_accepted,
    was.FilesRefused: start.files_refused,
    was.Prepared: start.prepared,
    was.NotPrepared: start.not_prepared,
    was.AppServerExited: crash.app_server_exited,
    was.BackgroundExited: crash.background_exited,
    was.GatewayExited: crash.gateway_exited,
    was.AppServerWell: start.app_server_well,
    was.AppServerAnswered: start.app_server_answered,
    was.GatewayWell: start.gateway_well,
    was.GatewayAnswered: start.gateway_answered,
    was.ReloadAsked: reload.reload_asked,
    was.PromoteAsked: reload.promote_asked,
    was.AbortAsked: reload.abort_asked,
    was.RollbackAsked: reload.rollback_asked,
    was.Planned: reload.planned,
    was.PlanRefused: reload.plan_refused,
    was.StopAsked: stop.stop_asked,
    was.Lost: stop.lost,
    was.QueueEmpty: timeouts.queue_empty,
    was.Drained: stop.drained,
    was.NotDone: undone.not_done,
    was.Tick: timeouts.tick,
}
