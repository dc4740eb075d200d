"""An action failed: the machine stops waiting for it, and the previous state, if there is one, keeps serving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from portico.errors import FAILED
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine import crash, reload, start, stop
from portico.run.machine import event as was
from portico.run.machine.action import Action
from portico.run.machine.state import Mending, Phase, ProcessState, State, Status, Step, then

CANNOT_START = 127
"""The exit code a shell reports for a program that it cannot start."""
AGAIN_SECONDS = 2.0
"""The delay between attempts to install the gateway's files: a full disk may have space again, or a limit is raised."""
SWITCHING = (do.UseFiles, do.MakeLive, do.ReloadGateway)
"""The actions that bring another release in front of clients."""


def not_done(state: State, event: was.NotDone, now: float) -> Step:
    """The event that the action would have ended with, if the machine waits for one; else only a notice."""
    return HANDLERS[type(event.action)](state, event, now)


def way_back(before: State, after: State, event: was.NotDone, now: float) -> Step | None:
    """Undoes the step that began in `before`: the old release keeps serving. None if that is impossible.

    `after` is the state after the step. The rest of the step must not be performed.
    """
    number, old = _newcomer(before, after), after.release(before.live)
    is_switch = isinstance(event.action, SWITCHING) and before.phase is after.phase is Phase.SERVING
    if not is_switch or not number or old is None or not old.process.is_running:
        return None
    back = (do.UseFiles(before.live), reload.make_live(before))
    newcomer = before.release(number)
    if newcomer is None or not newcomer.is_trial:
        return before, (*back, do.Say(notices.Refused(event.problem)))
    return then(before, back, lambda s, t: reload.drop(s, number, FAILED, (event.problem,), t), now)


def _newcomer(before: State, after: State) -> int:
    """The release that should have got requests; 0 for none."""
    if after.live != before.live:
        return after.live
    is_new = after.canary is not None and before.canary is None
    return after.canary.number if after.canary and is_new else 0


def mend(state: State, now: float) -> Step:
    """Try again; report success once."""
    mending = state.mending
    if mending is None or state.phase is not Phase.SERVING:
        return replace(state, mending=None), ()
    if mending.was_tried:
        took = now - mending.since
        return replace(state, mending=None), (
            do.Say(notices.Recovered(f"the configuration of {state.program}", took)),
        )
    state = replace(state, mending=replace(mending, was_tried=True, due=now + AGAIN_SECONDS))
    actions: tuple[Action, ...] = (do.UseFiles(state.live), reload.make_live(state))
    if state.gateway.is_running:
        actions += (do.ReloadGateway(),)
    return state, (*actions, do.AskGateway()) if state.gateway.status is Status.BOOTING else actions


def _unfinished(state: State, event: was.NotDone, now: float) -> Step:
    """The gateway has not got its files: that ends a start; later it is retried until it works, and reported once."""
    if state.phase is Phase.STARTING:
        return stop.fail(state, FAILED, (event.problem,), now)
    if state.phase is not Phase.SERVING:
        return _say(state, event, now)
    due = now + AGAIN_SECONDS
    if state.mending is not None:
        return replace(state, mending=replace(state.mending, was_tried=False, due=due)), ()
    return replace(state, mending=Mending(now, due)), (do.Say(notices.Trouble(event.problem)),)


def _say(state: State, event: was.NotDone, _: float) -> Step:
    """Nothing waits for it, or its timeout ends by itself (`State.releases`, `due`)."""
    return state, (do.Say(notices.Trouble(event.problem)),)


def _unsaid(state: State, event: was.NotDone, now: float) -> Step:
    """A notice that failed cannot be reported."""
    del event, now
    return state, ()


def _no_verdict(state: State, event: was.NotDone, now: float) -> Step:
    assert isinstance(event.action, do.CheckFiles)
    return start.files_refused(state, was.FilesRefused(event.action.number, (event.problem,)), now)


def _not_prepared(state: State, event: was.NotDone, now: float) -> Step:
    assert isinstance(event.action, do.Prepare)
    return start.not_prepared(state, was.NotPrepared(event.action.number, (event.problem,)), now)


def _no_plan(state: State, event: was.NotDone, now: float) -> Step:
    assert isinstance(event.action, do.MakePlan)
    return reload.plan_refused(state, was.PlanRefused(event.action.number, (event.problem,)), now)


def _no_server(state: State, event: was.NotDone, now: float) -> Step:
    assert isinstance(event.action, do.StartAppServer)
    number, release = event.action.number, state.release(event.action.number)
    if release is not None and state.phase is Phase.STARTING:
        return stop.fail(state.without(release), FAILED, (event.problem,), now)
    if release is not None and state.phase is Phase.SERVING and number != state.live and release.is_trial:
        state = state.having(release.to(Status.ABSENT, now))
        return reload.drop(state, number, FAILED, (event.problem,), now)
    exited = was.AppServerExited(number, CANNOT_START)
    notice = do.Say(notices.Trouble(event.problem))
    return then(state, (notice,), lambda s, t: crash.app_server_exited(s, exited, t), now)


def _not_concluded(state: State, event: was.NotDone, _: float) -> Step:
    assert isinstance(event.action, do.Conclude)
    return state, (do.Say(notices.NotConcluded(event.action.number, (event.problem,))),)


def _no_background(state: State, event: was.NotDone, now: float) -> Step:
    """It counts as one that ended at once: it is tried again."""
    assert isinstance(event.action, do.StartBackground)
    exited, notice = (
        was.BackgroundExited(event.action.id, CANNOT_START),
        do.Say(notices.Trouble(event.problem)),
    )
    return then(state, (notice,), lambda s, t: crash.background_exited(s, exited, t), now)


def _no_answer(state: State, event: was.NotDone, now: float) -> Step:
    assert isinstance(event.action, do.AskAppServer)
    return start.app_server_answered(
        state, was.AppServerAnswered(event.action.number, str(event.problem)), now
    )


def _no_gateway(state: State, event: was.NotDone, now: float) -> Step:
    if state.phase is Phase.STARTING:
        return stop.fail(replace(state, gateway=ProcessState()), FAILED, (event.problem,), now)
    notice = do.Say(notices.Trouble(event.problem))
    exited = was.GatewayExited(CANNOT_START)
    return then(state, (notice,), lambda s, t: crash.gateway_exited(s, exited, t), now)


def _no_gateway_answer(state: State, event: was.NotDone, now: float) -> Step:
    """A start has its timeout; later the question is asked again."""
    if state.phase is Phase.SERVING:
        return _unfinished(state, event, now)
    return start.gateway_answered(state, was.GatewayAnswered(str(event.problem)), now)


HANDLERS: Mapping[type[Action], Callable[[State, Any, float], Step]] = {
    do.SetBooting: _say,
    do.CheckFiles: _no_verdict,
    do.UseFiles: _unfinished,
    do.Prepare: _not_prepared,
    do.Conclude: _not_concluded,
    do.EndConclude: _say,
    do.StartAppServer: _no_server,
    do.EndAppServer: _say,
    do.AskAppServer: _no_answer,
    do.MakeLive: _unfinished,
    do.TakeDown: _unfinished,
    do.EmptyQueue: _say,
    do.WatchQueue: _say,
    do.Forget: _say,
    do.StartBackground: _no_background,
    do.EndBackground: _say,
    do.StartGateway: _no_gateway,
    do.ReloadGateway: _unfinished,
    do.EndGateway: _say,
    do.SayGoodbye: _say,
    do.AskGateway: _no_gateway_answer,
    do.MakePlan: _no_plan,
    do.Say: _unsaid,
}
"""Every action except Exit, which is not performed."""
