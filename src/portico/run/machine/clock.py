"""Patience that has run out."""

from __future__ import annotations

from dataclasses import replace

from portico.errors import UNHEALTHY
from portico.run import notices
from portico.run.machine import action as do
from portico.run.machine import crash, reload, start, stop, undone
from portico.run.machine import event as was
from portico.run.machine.action import Action, Manner
from portico.run.machine.state import KILLED_SECONDS, Generation, Phase, State, Status, Step, then
from portico.run.machine.words import SERVER, silent_gateway, silent_server, unkillable

BY_SIGKILL = -9
LOOPING = 3
"""After this many crashes in a row nginx no longer says "starting"."""
STATUS = "status "
"""So begins what nginx answered; anything else says that there was no answer."""


def tick(state: State, _: was.Tick, now: float) -> Step:
    actions: list[Action] = []
    if state.mending is not None and state.mending.due <= now:
        state, more = undone.mend(state, now)
        actions.extend(more)
    if state.gateway.is_due(now):
        state, more = _gateway_due(state, now)
        actions.extend(more)
    for number in [generation.number for generation in state.generations]:
        # Looked up again each time: what was due first may have changed or ended the others.
        generation = state.generation(number)
        if generation is not None and generation.life.is_due(now):
            state, more = _generation_due(state, generation, now)
            actions.extend(more)
    return state, tuple(actions)


def _gateway_due(state: State, now: float) -> Step:
    life = state.gateway
    if life.status is Status.RESTING:
        state = replace(state, gateway=life.to(Status.BOOTING, now))
        return state, (do.StartGateway(), do.AskGateway())
    if life.status is Status.LEAVING:
        return stop.gateway_late(state, now)
    if state.patience.serves_pages and state.gateway.answer.startswith(STATUS):
        return then(state, (do.Say(notices.NoServer(state.gateway.answer)),), start.serve, now)
    return stop.fail(state, UNHEALTHY, (silent_gateway(state),), now)


def _generation_due(state: State, generation: Generation, now: float) -> Step:
    handlers = {
        Status.RESTING: _start_again,
        Status.WARM: reload.linger,
        Status.LINGERING: _send_away,
        Status.LEAVING: _kill,
        Status.BOOTING: _too_late,
    }
    return handlers[generation.life.status](state, generation, now)


def _start_again(state: State, generation: Generation, now: float) -> Step:
    number, crashes = generation.number, generation.life.crashes
    if state.phase is Phase.STOPPING:
        return state.having(replace(generation, life=replace(generation.life, due=None))), ()
    generation = replace(generation, was_killed=False)
    return state.having(generation.to(Status.BOOTING, now, state.patience.start_seconds)), (
        do.SetBooting(on=crashes < LOOPING),
        do.StartServer(number),
        do.AskServer(number, answers=1),
    )


def queue_empty(state: State, event: was.QueueEmpty, now: float) -> Step:
    generation = state.generation(event.number)
    if generation is None or generation.life.status is not Status.LINGERING:
        return state, ()
    return _send_away(state, generation, now)


def _send_away(state: State, generation: Generation, now: float) -> Step:
    state = state.having(generation.to(Status.LEAVING, now, state.patience.stop_seconds))
    return state, (do.EndServer(generation.number, Manner.DRAIN),)


def _kill(state: State, generation: Generation, now: float) -> Step:
    if generation.was_killed:
        return _given_up(state, generation, now)
    life = replace(generation.life, due=now + KILLED_SECONDS)
    state = state.having(replace(generation, life=life, was_killed=True))
    return state, (do.EndServer(generation.number, Manner.KILL),)


def _given_up(state: State, generation: Generation, now: float) -> Step:
    """It was killed and does not end: whatever waits for that goes on as if it had."""
    said = do.Say(notices.Trouble(unkillable(SERVER)))
    exited = was.ServerExited(generation.number, BY_SIGKILL)
    return then(state, (said,), lambda s, t: crash.server_exited(s, exited, t), now)


def _too_late(state: State, generation: Generation, now: float) -> Step:
    if generation.was_killed:
        return _given_up(state, generation, now)
    problems = (silent_server(state, generation),)
    if state.phase is Phase.STOPPING:
        return _kill(state, generation, now)
    if state.phase is Phase.STARTING:
        return stop.fail(state, UNHEALTHY, problems, now)
    if generation.number != state.live:
        return reload.drop(state, generation.number, UNHEALTHY, problems, now)
    # A restart that hangs: ended like a crash, its exit brings the next attempt.
    state, actions = _kill(state, generation, now)
    return state, (do.Say(notices.Stuck(SERVER, generation.life.answer)), *actions)
