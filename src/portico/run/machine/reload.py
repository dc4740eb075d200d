"""A new generation beside the one that serves: it must prove itself, then it is switched to, or dropped."""

from __future__ import annotations

from dataclasses import replace

from portico.errors import Problem
from portico.run import action as do
from portico.run import event as was
from portico.run import news as told
from portico.run.action import Action, Manner
from portico.run.machine.state import DROP_SECONDS, Generation, Life, Phase, State, Status, Step, then


def reload_asked(state: State, _: was.ReloadAsked, now: float) -> Step:
    if state.phase is Phase.STOPPING:
        return state, ()
    return reload_if_asked(replace(state, reload_again=True), now)


def reload_if_asked(state: State, now: float) -> Step:
    """One reload at a time; those asked for meanwhile are one more."""
    if not state.reload_again or state.phase is not Phase.SERVING or state.trial is not None:
        return state, ()
    number = state.newest + 1
    state = replace(state, reload_again=False, newest=number)
    state = state.having(Generation(number, Life().to(Status.PLANNING, now)))
    return state, (do.Say(told.Reloading(number)), do.MakePlan(number))


def planned(state: State, event: was.Planned, _: float) -> Step:
    generation = state.generation(event.number)
    if generation is None or state.phase is Phase.STOPPING:
        return state, ()
    life = replace(generation.life, status=Status.CHECKING)
    state = state.having(replace(generation, life=life, gateway_changed=event.gateway_changed))
    return state, (do.Say(told.Booting(event.number)), do.CheckFiles(event.number))


def plan_refused(state: State, event: was.PlanRefused, now: float) -> Step:
    return drop(state, event.number, event.code, event.problems, now)


def switch(state: State, trial: Generation, now: float) -> Step:
    """The new generation is well: clients get it from now on, and the old one leaves."""
    number, old = trial.number, state.generation(state.live)
    actions: tuple[Action, ...] = (do.MakeLive(number), do.SetBooting(on=False), do.UseFiles(number))
    if trial.gateway_changed:
        actions += (do.ReloadGateway(),)
    actions += (do.Say(told.Switched(number, now - trial.life.since)),)
    state = replace(state, live=number)
    if old is not None and old.life.is_running:
        # Not every server reads its queue to the end once it was told to leave, so it is told when that is empty.
        state = state.having(old.to(Status.LINGERING, now, state.patience.stop_seconds))
        actions += (do.WatchQueue(old.number),)
    elif old is not None:
        state, actions = state.without(old), (*actions, do.Forget(old.number))
    return then(state, actions, reload_if_asked, now)


def drop(state: State, number: int, code: int, problems: tuple[Problem, ...], now: float) -> Step:
    """A reload failed: the old generation serves on."""
    generation = state.generation(number)
    if generation is None or state.phase is not Phase.SERVING:
        return state, ()
    actions: tuple[Action, ...] = (do.Say(told.GenerationDropped(number, code, problems)),)
    if generation.life.is_running:
        leaving = generation.to(Status.LEAVING, now, DROP_SECONDS)
        state = state.having(replace(leaving, was_dropped=True))
        actions += (do.EndServer(number, Manner.DRAIN),)
    else:
        state, actions = state.without(generation), (*actions, do.Forget(number))
    return then(state, actions, reload_if_asked, now)
