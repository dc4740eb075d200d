"""A new release beside the serving one: it is checked, then it replaces the old one, or is dropped."""

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
    Phase,
    ProcessState,
    Release,
    ReloadRequest,
    State,
    Status,
    Step,
    then,
)


def reload_asked(state: State, event: was.ReloadAsked, now: float) -> Step:
    if state.phase is Phase.STOPPING:
        return state, ()
    request = ReloadRequest(event.path, event.tenths)
    if request == ReloadRequest() and state.request is not None:
        request = state.request  # a waiting request already serves the newest code, too
    return reload_if_asked(replace(state, request=request), now)


def reload_if_asked(state: State, now: float) -> Step:
    """One reload at a time; of all requested meanwhile, only the last one follows. A canary makes way for it."""
    request = state.request
    if request is None or state.phase is not Phase.SERVING or state.trial is not None:
        return state, ()
    number = state.newest + 1
    state, actions = end_canary(
        replace(state, request=None, newest=number), "a newer release takes its place", now
    )
    state = state.having(
        Release(
            number, ProcessState().to(Status.PLANNING, now), state.timeouts, began=now, tenths=request.tenths
        )
    )
    return state, (*actions, do.Say(notices.Reloading(number)), do.MakePlan(number, request.path))


def planned(state: State, event: was.Planned, now: float) -> Step:
    release = state.release(event.number)
    if release is None or state.phase is Phase.STOPPING:
        return state, ()
    process = replace(release.process, status=Status.CHECKING)
    release = replace(
        release,
        process=process,
        timeouts=event.timeouts,
        gateway_changed=event.gateway_changed or release.gateway_changed,
        rules_changed=event.rules_changed or release.rules_changed,
        prepares=event.prepares,
        background=event.background,
        concludes=event.concludes,
    )
    if release.tenths and release.rules_changed:
        return drop(state, release.number, FAILED, (_OTHER_RULES,), now)
    return state.having(release), (
        do.Say(notices.Booting(event.number, event.python)),
        do.CheckFiles(event.number),
    )


def plan_refused(state: State, event: was.PlanRefused, now: float) -> Step:
    return drop(state, event.number, event.code, event.problems, now)


def proved(state: State, trial: Release, well: Release, now: float) -> Step:
    """The new release is healthy: clients get it, or a canary gets its share."""
    if trial.tenths and trial.rules_changed:  # another release has taken over since it was planned
        return drop(state.having(well), trial.number, FAILED, (_OTHER_RULES,), now)
    state = state.having(well)
    took = now - trial.began
    live = state.release(state.live)
    if not trial.tenths or live is None or live.process.status is not Status.WELL:
        return switch(state, well, took, now)  # no canary beside a release that is down
    state = state.having(well.to(Status.CANARY, now))
    notice = notices.CanaryServes(trial.number, trial.tenths, took)
    return state, (make_live(state), do.Say(notice))


def switch(state: State, new: Release, took: float, now: float) -> Step:
    """Clients get the new release from now on; the old one becomes the standby release and replaces the previous
    one.
    """
    number, old = new.number, state.release(state.live)
    state, actions = drain_standby(state.with_live(new), now)
    actions = (do.UseFiles(number), make_live(state), do.SetBooting(on=False), *actions)
    if new.gateway_changed:
        actions += (do.ReloadGateway(),)
    actions += (do.Say(notices.Switched(number, took)),)
    if old is not None and old.process.status is Status.WELL:
        state = state.having(old.to(Status.STANDBY, now, state.timeouts.standby_seconds))
    elif old is not None and old.process.is_running:
        state, more = drain(state, old, now)
        actions += more
    elif old is not None:
        state, actions = state.without(old), (*actions, do.Forget(old.number))
    state, actions = then(state, actions, background.follow_live, now)
    state, ended = conclude.end(state, f"release {number} serves")
    state, begun = conclude.begin(state)
    return then(state, (*actions, *ended, *begun), reload_if_asked, now)


def make_live(state: State) -> Action:
    """Requests go to the live release, and the canary's share to the canary; to none while the live one is down."""
    canary, live = state.canary, state.release(state.live)
    if live is None or not live.process.is_running:
        return do.TakeDown()
    return do.MakeLive(state.live, canary.number, canary.tenths) if canary else do.MakeLive(state.live)


def drain(state: State, old: Release, now: float) -> Step:
    """Not every server reads its queue to the end when it stops, so it is stopped once the queue is empty."""
    state = state.having(old.to(Status.DRAINING, now, old.timeouts.stop_seconds))
    return state, (do.WatchQueue(old.number),)


def drain_standby(state: State, now: float) -> Step:
    return drain(state, state.standby, now) if state.standby else (state, ())


def drop(state: State, number: int, code: int, problems: tuple[Problem, ...], now: float) -> Step:
    """A reload failed: the old release keeps serving."""
    release = state.release(number)
    if release is None or state.phase is not Phase.SERVING:
        return state, ()
    state, actions = _give_up(state, release, now)
    return then(
        state, (do.Say(notices.ReleaseDropped(number, code, problems)), *actions), reload_if_asked, now
    )


def _give_up(state: State, release: Release, now: float) -> Step:
    if not release.process.is_running:
        return state.without(release), (do.Forget(release.number),)
    leaving = release.to(Status.LEAVING, now, DROP_SECONDS)
    return state.having(replace(leaving, was_dropped=True)), (
        do.EndAppServer(release.number, StopMode.DRAIN),
    )


# Promotion, abort and rollback ---------------------------------------------------------------------------


def promote_asked(state: State, _: was.PromoteAsked, now: float) -> Step:
    if state.canary is None or state.phase is not Phase.SERVING:
        return state, (_refused("there is no canary to promote", "start one: portico reload --canary 10%"),)
    return promote(state, now)


def promote(state: State, now: float) -> Step:
    """The canary, which must exist, gets all requests."""
    canary = state.canary
    assert canary is not None
    return switch(state.having(canary.to(Status.WELL, now)), canary, 0.0, now)


def abort_asked(state: State, _: was.AbortAsked, now: float) -> Step:
    if state.canary is None or state.phase is not Phase.SERVING:
        return state, (
            _refused("there is no canary to abort", "go back to the release before: portico rollback"),
        )
    return end_canary(state, "", now)


def end_canary(state: State, why: str, now: float) -> Step:
    """All requests go to the live release again; the canary finishes its requests."""
    canary = state.canary
    if canary is None:
        return state, ()
    state, actions = drain(state, canary, now)
    return state, (make_live(state), do.Say(notices.CanaryLeft(canary.number, why)), *actions)


def rollback_asked(state: State, _: was.RollbackAsked, now: float) -> Step:
    """Back to the previous release: from a canary to the live one, else to the standby release."""
    if state.phase is Phase.SERVING and state.canary is not None:
        return end_canary(state, "", now)
    standby, bad = state.standby, state.release(state.live)
    if state.phase is not Phase.SERVING or standby is None or bad is None:
        minutes = f"{state.timeouts.standby_seconds / 60:g} min"
        what = f"there is no release to go back to: the one before is kept for {minutes} after a reload"
        return state, (
            _refused(what, "put the old code back and reload, or name it: portico reload --path DIR"),
        )
    actions: tuple[Action, ...] = ()
    if (trial := state.trial) is not None:
        state, actions = _give_up(state, trial, now)
        undone = Problem("", "it was rolled back before it served")
        actions = (do.Say(notices.ReleaseDropped(trial.number, FAILED, (undone,))), *actions)
    state, more = _back(replace(state, request=None), standby, bad, now)
    actions += (*more, do.Say(notices.RolledBack(standby.number, bad.number)))
    if not bad.process.is_running:
        return state.without(bad), (*actions, do.Forget(bad.number))
    state, more = drain(state, bad, now)
    return state, (*actions, *more)


def _back(state: State, standby: Release, bad: Release, now: float) -> Step:
    """Clients get the standby release again."""
    state = state.having(standby.to(Status.WELL, now)).with_live(standby)
    actions: tuple[Action, ...] = (do.UseFiles(standby.number), make_live(state), do.SetBooting(on=False))
    actions += (do.ReloadGateway(),) if bad.gateway_changed else ()
    state, actions = then(state, actions, background.follow_live, now)
    state, ended = conclude.end(state, f"release {standby.number} serves again")
    return state, (*actions, *ended)


def take_over(state: State, now: float) -> Step:
    """The live release has ended and cannot be started: the standby one, which must exist, gets all requests."""
    standby, bad, trial = state.standby, state.release(state.live), state.trial
    assert standby is not None
    assert bad is not None
    state, actions = _back(state, standby, bad, now)
    if trial is not None and bad.gateway_changed:  # it was compared with the files of the release that ended
        rules = trial.rules_changed or bad.rules_changed
        state = state.having(replace(trial, gateway_changed=True, rules_changed=rules))
    notice = do.Say(notices.TookOver(standby.number, bad.number))
    return state.without(bad), (*actions, notice, do.Forget(bad.number))


_OTHER_RULES = Problem(
    "",
    "its access rules differ from those of the serving release, and a canary shares its nginx",
    "release it whole: portico reload; or put the rules into [access] and reload, before the canary",
)


def _refused(what: str, hint: str) -> Action:
    return do.Say(notices.Refused(Problem("", what, hint)))
