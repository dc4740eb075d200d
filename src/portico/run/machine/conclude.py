"""The command after a release: it begins once, when that serves, and is told to end when another one does."""

from __future__ import annotations

from msgspec.structs import replace

from portico.run.machine import action as do
from portico.run.machine.action import Action, StopMode
from portico.run.machine.state import State, Step

_STOPS = "the site stops"


def begin(state: State) -> Step:
    """That of the live release, when it serves for the first time: a rollback is no release."""
    release = state.release(state.live)
    if release is None or not release.concludes:
        return state, ()
    return replace(state, concluding=release.number), (do.Conclude(release.number),)


def end(state: State, why: str) -> Step:
    """Its release is no longer the live one."""
    if not state.concluding:
        return state, ()
    return replace(state, concluding=0), (do.EndConclude(state.concluding, StopMode.DRAIN, why),)


def stop(state: State, mode: StopMode) -> tuple[Action, ...]:
    """The whole site stops. It may be asked again, with a stronger mode."""
    return (do.EndConclude(state.concluding, mode, _STOPS),) if state.concluding else ()
