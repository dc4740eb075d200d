"""What holds in every history, tried on thousands that nobody thought of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.errors import Problem
from portico.protocol import notices
from portico.run.driver import obey
from portico.run.machine import State, Timeouts, undone, wake_at
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import Action, StopMode
from portico.run.machine.event import Event
from portico.run.undone import WHAT

Fails = Callable[[Action], bool]
NAMES = ("worker", "mail")
Choices = st.lists(st.integers(0, 1 << 30), max_size=60)


def timeouts(number: int) -> Timeouts:
    """Each release's plan says something else."""
    return Timeouts(30 + number, 35 + 2 * number, 300 * (number % 3))


@dataclass
class Pretended:
    """A world that does what it is told to, and offers what could happen next."""

    state: State = field(default_factory=lambda: State(timeouts(1), "nginx"))
    now: float = 0.0
    servers: set[int] = field(default_factory=set)
    gateway: bool = False
    told_to_leave: set[int] = field(default_factory=set)
    checking: set[int] = field(default_factory=set)
    planning: set[int] = field(default_factory=set)
    preparing: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    watched: set[int] = field(default_factory=set)
    killed: set[int] = field(default_factory=set)
    background: dict[int, int] = field(default_factory=dict)
    """The release of each background process that runs."""
    concluded: set[int] = field(default_factory=set)
    concluding: set[int] = field(default_factory=set)
    """The releases whose command after them was not told to end."""
    told_to_end: set[int] = field(default_factory=set)
    killed_background: set[int] = field(default_factory=set)
    was_ready: bool = False
    stop_asked: bool = False
    exit: do.Exit | None = None

    def could_happen(self) -> list[Event]:
        """What the world could tell next; the likely things come more than once."""
        return [
            *(was.FilesAccepted(n) for n in sorted(self.checking) for _ in range(3)),
            *(was.FilesRefused(n, ()) for n in sorted(self.checking)),
            *(
                was.Planned(n, timeouts(n), n % 2 == 0, n % 4 == 0, n % 3 == 0, NAMES[: n % 3], True)
                for n in sorted(self.planning)
                for _ in range(3)
            ),
            *(was.PlanRefused(n, ()) for n in sorted(self.planning)),
            *(was.Prepared(n) for n in sorted(self.preparing) for _ in range(3)),
            *(was.NotPrepared(n, ()) for n in sorted(self.preparing)),
            *(was.AppServerWell(n) for n in sorted(self.asked & self.servers) for _ in range(3)),
            *(was.AppServerAnswered(n, "status 503") for n in sorted(self.asked & self.servers)),
            *(was.AppServerAnswered(n, "status 500", True) for n in sorted(self.asked & self.servers)),
            *(was.AppServerExited(n, 1) for n in sorted(self.servers)),
            *(was.AppServerExited(n, 22, True) for n in sorted(self.servers)),
            *(was.BackgroundExited(n, n % 2) for n in sorted(self.background)),
            *([was.GatewayWell()] * 3 + [was.GatewayExited(-9)] if self.gateway else []),
            *(was.QueueEmpty(n) for n in sorted(self.watched)),
            was.ReloadAsked(),
            was.ReloadAsked("", 3),
            was.PromoteAsked(),
            was.AbortAsked(),
            was.RollbackAsked(),
            was.Drained(),
            was.Tick(),
            was.StopAsked(143),
        ]

    def tell(self, event: Event, fails: Fails = lambda _: False) -> None:
        """What the machine does on that event; `fails` says which actions cannot be done."""
        self._happen(event)
        events = [event]
        while events and self.exit is None:
            perform = partial(self._try, fails)
            self.state, failures, end = obey(self.state, events.pop(0), self.now, perform)
            events = [*failures, *events]
            if end is not None:
                self.perform(end)
        self.now += 0.01
        late = self.concluding - (set() if self.stop_asked else {self.state.live})
        assert not late, "a command runs after the release that serves, and after no other"
        if isinstance(event, was.Tick):
            again = wake_at(self.state)
            assert again is None or again > self.now - 0.01, "the same timeout would run out for ever"

    def _try(self, fails: Fails, action: Action) -> was.NotDone | None:
        if fails(action):
            self._ends(action)  # nothing more can be done
            return was.NotDone(action, Problem("", "no space left on device"))
        self.perform(action)
        return None

    def _happen(self, event: Event) -> None:
        match event:
            case was.Tick():
                self.now = wake_at(self.state) or self.now
            case was.AppServerExited(number, _, _):
                self.servers.discard(number)
                self.told_to_leave.discard(number)
            case was.BackgroundExited(number, _):
                self.background.pop(number, None)
                self.told_to_end.discard(number)
            case was.GatewayExited():
                self.gateway = False
            case was.FilesAccepted(number) | was.FilesRefused(number, _):
                self.checking.discard(number)
            case was.Prepared(number) | was.NotPrepared(number, _):
                self.preparing.discard(number)
            case was.Planned(number) | was.PlanRefused(number, _, _):
                self.planning.discard(number)
            case was.StopAsked():
                self.stop_asked = True

    def _ends(self, action: Action) -> None:
        if isinstance(action, do.EndAppServer | do.EndGateway) and action.mode is StopMode.KILL:
            self.killed.add(action.number if isinstance(action, do.EndAppServer) else 0)
        if isinstance(action, do.EndBackground) and action.mode is StopMode.KILL:
            self.killed_background.add(action.id)
        if isinstance(action, do.EndConclude):
            self.concluding.discard(action.number)
        if isinstance(action, do.Say) and isinstance(action.notice, notices.Ready):
            self.was_ready = True  # it serves, whether that could be said or not

    def perform(self, action: Action) -> None:  # noqa: C901  a table, one row an action
        match action:
            case do.StartAppServer(number):
                assert number not in self.servers, "one arbiter a release"
                assert not self.stop_asked, "nothing is started while stopping"
                self.servers.add(number)
            case do.Conclude(number):
                assert number not in self.concluded, "once a release"
                assert self.was_ready, "it serves"
                assert not self.concluding, "that of another release was told to end"
                assert not self.stop_asked, "nothing is started while stopping"
                self.concluded.add(number)
                self.concluding.add(number)
            case do.EndConclude(number, _, _):
                self._ends(action)
            case do.StartBackground(at, number, _):
                assert at not in self.background, "one process an id"
                assert self.was_ready, "nothing runs beside a site that does not serve"
                assert not self.stop_asked, "nothing is started while stopping"
                old = {other for other, of in self.background.items() if of != number}
                assert old <= self.told_to_end, "what belongs to another release was told to end"
                self.background[at] = number
            case do.EndBackground(at, _):
                self.told_to_end.add(at)
                self._ends(action)
            case do.StartGateway():
                assert not self.gateway, "one nginx"
                assert not self.stop_asked, "nothing is started while stopping"
                self.gateway = True
            case do.EndAppServer(number, mode):
                is_live = number == self.state.live
                assert self.stop_asked or not self.was_ready or not is_live or mode is StopMode.KILL
                self.told_to_leave.add(number)
                self._ends(action)
            case do.EndGateway():
                self._ends(action)
            case do.CheckFiles(number):
                self.checking.add(number)
            case do.Prepare(number):
                assert not self.stop_asked, "nothing is started while stopping"
                self.preparing.add(number)
            case do.MakePlan(number, _):
                self.planning.add(number)
            case do.WatchQueue(number):
                self.watched.add(number)
            case do.AskAppServer(number, _):
                self.asked.add(number)
            case do.MakeLive(number, canary, tenths):
                assert number in self.servers, "only what runs is given requests"
                assert bool(canary) == bool(tenths)
                assert not canary or canary in self.servers, "only what runs is given requests"
            case do.Forget(number):
                assert number not in self.servers - self.killed, "only what has left is forgotten"
            case do.Say(notices.Ready()):
                self.was_ready = True
            case do.Exit():
                assert self.servers <= self.killed, "nothing outlives Portico but what cannot be killed"
                assert set(self.background) <= self.killed_background, "nothing outlives Portico"
                assert not self.gateway or 0 in self.killed, (
                    "nothing outlives Portico but what cannot be killed"
                )
                assert self.stop_asked or not self.was_ready, "a serving site never ends by itself"
                self.exit = action


@settings(max_examples=600, deadline=None)
@given(Choices, st.booleans())
def test_no_history_breaks_the_laws(choices: list[int], prepares: bool) -> None:
    world = Pretended()
    world.tell(was.Begin(1, prepares=prepares, background=NAMES, concludes=True))
    for choice in choices:
        if world.exit is not None:
            return
        events = world.could_happen()
        world.tell(events[choice % len(events)])


@settings(max_examples=600, deadline=None)
@given(Choices, st.booleans(), st.booleans())
def test_every_history_can_be_stopped(choices: list[int], is_stubborn: bool, prepares: bool) -> None:
    """Whatever happened: asked to stop, all end, also those that leave only when they are killed."""
    world = Pretended()
    world.tell(was.Begin(1, prepares=prepares, background=NAMES, concludes=True))
    for choice in choices:
        events = world.could_happen()
        world.tell(events[choice % len(events)])
    world.tell(was.StopAsked(143))
    for _ in range(100):
        if world.exit is not None:
            return
        if not is_stubborn and world.gateway:
            world.tell(was.GatewayExited(0))
        elif world.told_to_leave & world.servers and not is_stubborn:
            world.tell(was.AppServerExited(min(world.told_to_leave & world.servers), 0))
        elif world.background and not is_stubborn:
            world.tell(was.BackgroundExited(min(world.background), 0))
        elif wake_at(world.state) is not None:
            world.tell(was.Tick())
        elif world.gateway:
            world.tell(was.GatewayExited(-9))
        else:
            world.tell(was.AppServerExited(min(world.servers), -9))
    raise AssertionError(f"still not over: {world.state}")


@settings(max_examples=600, deadline=None)
@given(Choices, st.lists(st.booleans(), max_size=60), st.booleans())
def test_whatever_fails_every_history_can_be_stopped(
    choices: list[int], failures: list[bool], fails_for_ever: bool
) -> None:
    """No room, no descriptor, no process: and asked to stop, Portico ends, also when nobody answers any more."""
    world, draws = Pretended(), iter(failures)
    world.tell(was.Begin(1, background=NAMES), lambda _: next(draws, False))
    for choice in choices:
        events = world.could_happen()
        world.tell(events[choice % len(events)], lambda _: next(draws, False))
    fails: Fails = lambda _: fails_for_ever  # noqa: E731
    world.tell(was.StopAsked(143), fails)
    for _ in range(40):
        if world.exit is not None:
            return
        world.tell(was.Tick(), fails)
    raise AssertionError(f"still not over: {world.state}")


@pytest.mark.parametrize("kind", sorted(set(get_args(Action)) - {do.Exit}, key=str))
def test_every_action_has_an_end_when_it_fails(kind: type[Action]) -> None:
    assert kind in undone.HANDLERS, "the machine must know what becomes of it"
    assert kind in WHAT, "and the user what could not be done"


@dataclass
class Noted(Pretended):
    """The same, which remembers what was done."""

    done: list[Action] = field(default_factory=list)

    def perform(self, action: Action) -> None:
        self.done.append(action)
        super().perform(action)

    @property
    def said(self) -> list[notices.Notice]:
        return [one.notice for one in self.done if isinstance(one, do.Say)]


def _served(until: int) -> Noted:
    """A site whose release `until` is about to be switched to."""
    world = Noted()
    for number in range(1, until + 1):
        world.tell(was.Begin(1) if number == 1 else was.ReloadAsked())
        if number > 1:
            world.tell(was.Planned(number, timeouts(number), gateway_changed=True))
        world.tell(was.FilesAccepted(number))
        if number < until:
            world.tell(was.AppServerWell(number))
            world.tell(was.GatewayWell())
    return world


@pytest.mark.parametrize("kind", undone.SWITCHING, ids=lambda kind: kind.__name__)
def test_a_release_that_cannot_be_switched_to_is_dropped_and_the_old_one_serves_on(
    kind: type[Action],
) -> None:
    """It was called live, the old one left after five minutes, and nobody served any more."""
    world = _served(3)
    assert world.state.live == 2
    world.tell(
        was.AppServerWell(3), lambda action: isinstance(action, kind) and getattr(action, "number", 3) == 3
    )
    assert world.state.live == 2
    assert world.state.standby is not None
    assert world.state.standby.number == 1, "the way back is still there"
    dropped = do.Say(notices.ReleaseDropped(3, 1, (_NO_ROOM,)))
    assert world.done[-4:] == [do.UseFiles(2), do.MakeLive(2), dropped, do.EndAppServer(3, StopMode.DRAIN)]
    assert not any(isinstance(one, notices.Switched) and one.number == 3 for one in world.said)


def test_what_cannot_be_put_in_place_is_tried_again_until_it_can_and_said_once() -> None:
    """The server of a site crashed and is back, and the disk is full: there is no other release to go back to."""
    world = _served(1)
    world.tell(was.AppServerWell(1))
    world.tell(was.GatewayWell())
    world.tell(was.AppServerExited(1, -9))
    world.tell(was.Tick())
    fails: Fails = lambda action: isinstance(action, do.MakeLive)  # noqa: E731
    world.tell(was.AppServerWell(1), fails)
    for _ in range(3):
        world.tell(was.Tick(), fails)
    assert [type(one) for one in world.said].count(notices.Trouble) == 1
    assert world.state.mending is not None
    world.tell(was.Tick())
    world.tell(was.Tick())
    assert world.state.mending is None
    assert isinstance(world.said[-1], notices.Recovered)


_NO_ROOM = Problem("", "no space left on device")
