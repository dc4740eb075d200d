"""From the start to serving: the server boots while the gateway reads its files; the site is ready once it passes an
answer.
"""

from __future__ import annotations

from msgspec.structs import replace

from portico.errors import FAILED
from portico.protocol import notices
from portico.run.machine import action as do
from portico.run.machine import background, conclude, reload, stop
from portico.run.machine import event as was
from portico.run.machine.action import Action
from portico.run.machine.state import Phase, ProcessState, Release, State, Status, Step, then
from portico.run.machine.words import SERVER

QUEUE_SECONDS = 10.0
"""Clients that connected before the start wait this long for the app; later ones get the "starting" page."""
SWITCH_ANSWERS = 3
"""Good answers in a row before a new release replaces a serving one. At the first start there is nothing
to lose, so one is enough."""


def begin(state: State, event: was.Begin, now: float) -> Step:
    number = event.number
    process = ProcessState().to(Status.BOOTING, now, state.timeouts.start_seconds)
    if event.prepares:
        process = ProcessState().to(Status.CHECKING, now)
    release = Release(
        number,
        process,
        state.timeouts,
        prepares=event.prepares,
        background=event.background,
        concludes=event.concludes,
    )
    state = replace(state, phase=Phase.STARTING, began=now, newest=number, clients_wait=event.clients_wait)
    actions: tuple[Action, ...] = (
        do.Say(notices.Starting(number)),
        do.SetBooting(on=True),
        do.CheckFiles(number),
    )
    if not event.prepares:
        # The server boots while the gateway reads its files and says "starting": neither waits for the other.
        actions += (do.StartAppServer(number), do.AskAppServer(number, answers=1))
    return state.having(release), actions


def files_accepted(state: State, event: was.FilesAccepted, now: float) -> Step:
    release = state.release(event.number)
    if release is None or state.phase is Phase.STOPPING:
        return state, ()
    if state.phase is Phase.STARTING:
        # Clients wait in the queues of inherited sockets: they wait for the app and do not get the "starting" page.
        state = replace(state, gateway=state.gateway.to(Status.RESTING, now, QUEUE_SECONDS))
        actions: tuple[Action, ...] = (do.UseFiles(event.number),)
        if release.prepares:
            state = state.having(release.to(Status.PREPARING, now))
            actions += (do.Prepare(event.number),)
        is_time = state.live or not state.clients_wait
        return then(state, actions, _open if is_time else _hold, now)
    if release.prepares:
        return state.having(release.to(Status.PREPARING, now)), (do.Prepare(event.number),)
    return _boot(state, release, now)


def prepared(state: State, event: was.Prepared, now: float) -> Step:
    release = state.release(event.number)
    if release is None or release.process.status is not Status.PREPARING:
        return state, ()
    return _boot(state, release, now)


def _boot(state: State, release: Release, now: float) -> Step:
    answers = 1 if state.phase is Phase.STARTING else SWITCH_ANSWERS
    started = do.StartAppServer(release.number), do.AskAppServer(release.number, answers)
    return state.having(release.to(Status.BOOTING, now, release.timeouts.start_seconds)), started


def not_prepared(state: State, event: was.NotPrepared, now: float) -> Step:
    if state.phase is Phase.STARTING:
        return stop.fail(state, FAILED, event.problems, now)
    return reload.drop(state, event.number, FAILED, event.problems, now)


def files_refused(state: State, event: was.FilesRefused, now: float) -> Step:
    if state.phase is Phase.STARTING:
        return stop.fail(state, FAILED, event.problems, now)
    return reload.drop(state, event.number, FAILED, event.problems, now)


def app_server_well(state: State, event: was.AppServerWell, now: float) -> Step:
    release = state.release(event.number)
    if release is None or state.phase is Phase.STOPPING:
        return state, ()
    works: tuple[Action, ...] = ()
    if release.fails and state.phase is Phase.SERVING:
        release, works = replace(release, fails=False), (do.Say(notices.AppWorks(event.number)),)
    if release.process.status is not Status.BOOTING:
        return state.having(release), works
    state, actions = _up(state, release, now)
    return state, (*works, *actions)


def _up(state: State, release: Release, now: float) -> Step:
    """The release answers: clients get it, unless another one serves and it must be checked first."""
    down_since = release.process.down_since
    well = replace(release, process=replace(release.process.to(Status.WELL, now), down_since=None))
    if state.phase is Phase.SERVING and release.number != state.live:
        return reload.proved(state, release, well, now)
    state = state.having(well).with_live(well)
    actions: tuple[Action, ...] = (reload.make_live(state), do.SetBooting(on=False))
    if down_since is not None:
        actions += (do.Say(notices.Recovered(SERVER, now - down_since)),)
    return then(state, actions, _open, now)


def _hold(state: State, _: float) -> Step:
    return state, ()


def _open(state: State, now: float) -> Step:
    """Start the gateway, if it does not run yet, and ask through it."""
    if state.phase is not Phase.STARTING or state.gateway.status is not Status.RESTING:
        return _ask_gateway(state, now)
    state = replace(state, gateway=state.gateway.to(Status.BOOTING, now))
    return then(state, (do.StartGateway(),), _ask_gateway, now)


def _ask_gateway(state: State, now: float) -> Step:
    """Ask through the gateway as soon as both sides run."""
    if state.phase is not Phase.STARTING or not state.live or state.gateway.status is not Status.BOOTING:
        return state, ()
    due = now + state.timeouts.start_seconds
    live = state.release(state.live)
    ask = do.AskGateway(is_alone=live is not None and live.fails)
    return replace(state, gateway=replace(state.gateway, due=due)), (ask,)


def gateway_well(state: State, _: was.GatewayWell, now: float) -> Step:
    if state.gateway.status is not Status.BOOTING or state.phase is Phase.STOPPING:
        return state, ()
    down_since = state.gateway.down_since
    state = replace(state, gateway=replace(state.gateway.to(Status.WELL, now), down_since=None))
    if down_since is not None:
        return state, (do.Say(notices.Recovered(state.program, now - down_since)),)
    return serve(state, now)


def serve(state: State, now: float) -> Step:
    """The gateway serves clients for the first time."""
    state = replace(state, phase=Phase.SERVING, gateway=state.gateway.to(Status.WELL, now))
    ready = (do.Say(notices.Ready(now - state.began)),)
    state, actions = then(state, ready, background.follow_live, now)
    state, begun = conclude.begin(state)
    return then(state, (*actions, *begun), reload.reload_if_asked, now)


def app_server_answered(state: State, event: was.AppServerAnswered, now: float) -> Step:
    """An app that answers with an error is up. Only another serving release would be better."""
    release = state.release(event.number)
    if release is None:
        return state, ()
    process = replace(release.process, answer=event.answer, hint=event.hint)
    release = replace(release, process=process)
    has_no_other = state.phase is Phase.STARTING or release.number == state.live
    if not (event.is_up and has_no_other and process.status is Status.BOOTING):
        return state.having(release), ()
    state, actions = _up(state, replace(release, fails=True), now)
    notice = do.Say(notices.AppFails(release.number, event.answer, event.hint))
    return state, (notice, *actions)


def gateway_answered(state: State, event: was.GatewayAnswered, _: float) -> Step:
    return replace(state, gateway=replace(state.gateway, answer=event.answer)), ()
