"""What holds in every history, tried on thousands that nobody thought of."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from portico.run import news as told
from portico.run.machine import Patience, State, step, wake_at
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import Action, Manner
from portico.run.machine.event import Event

Choices = st.lists(st.integers(0, 1 << 30), max_size=60)


@dataclass
class Pretended:
    """A world that does what it is told to, and offers what could happen next."""

    state: State = field(default_factory=lambda: State(Patience(30, 35, 300)))
    now: float = 0.0
    servers: set[int] = field(default_factory=set)
    gateway: bool = False
    told_to_leave: set[int] = field(default_factory=set)
    checking: set[int] = field(default_factory=set)
    planning: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    watched: set[int] = field(default_factory=set)
    was_ready: bool = False
    stop_asked: bool = False
    exit: do.Exit | None = None

    def could_happen(self) -> list[Event]:
        """What the world could tell next; the likely things come more than once."""
        return [
            *(was.FilesAccepted(n) for n in sorted(self.checking) for _ in range(3)),
            *(was.FilesRefused(n, ()) for n in sorted(self.checking)),
            *(was.Planned(n, n % 2 == 0) for n in sorted(self.planning) for _ in range(3)),
            *(was.PlanRefused(n, ()) for n in sorted(self.planning)),
            *(was.ServerWell(n) for n in sorted(self.asked & self.servers) for _ in range(3)),
            *(was.ServerAnswered(n, "status 503") for n in sorted(self.asked & self.servers)),
            *(was.ServerAnswered(n, "status 500", True) for n in sorted(self.asked & self.servers)),
            *(was.ServerExited(n, 1) for n in sorted(self.servers)),
            *([was.GatewayWell()] * 3 + [was.GatewayExited(-9)] if self.gateway else []),
            *(was.QueueEmpty(n) for n in sorted(self.watched)),
            was.ReloadAsked(),
            was.ReloadAsked("", 3),
            was.PromoteAsked(),
            was.AbortAsked(),
            was.RollbackAsked(),
            was.Quiet(),
            was.Tick(),
            was.StopAsked(143),
        ]

    def tell(self, event: Event) -> None:
        match event:
            case was.Tick():
                self.now = wake_at(self.state) or self.now
            case was.ServerExited(number, _):
                self.servers.discard(number)
                self.told_to_leave.discard(number)
            case was.GatewayExited():
                self.gateway = False
            case was.FilesAccepted(number) | was.FilesRefused(number, _):
                self.checking.discard(number)
            case was.Planned(number, _) | was.PlanRefused(number, _, _):
                self.planning.discard(number)
            case was.StopAsked():
                self.stop_asked = True
        self.state, actions = step(self.state, event, self.now)
        for action in actions:
            self.perform(action)
        self.now += 0.01
        if isinstance(event, was.Tick):
            again = wake_at(self.state)
            assert again is None or again > self.now - 0.01, "the same patience would run out for ever"

    def perform(self, action: Action) -> None:  # noqa: C901  a table, one row an action
        match action:
            case do.StartServer(number):
                assert number not in self.servers, "one arbiter a generation"
                assert not self.stop_asked, "nothing is started while stopping"
                self.servers.add(number)
            case do.StartGateway():
                assert not self.gateway, "one nginx"
                assert not self.stop_asked, "nothing is started while stopping"
                self.gateway = True
            case do.EndServer(number, manner):
                is_live = number == self.state.live
                assert self.stop_asked or not self.was_ready or not is_live or manner is Manner.KILL
                self.told_to_leave.add(number)
            case do.CheckFiles(number):
                self.checking.add(number)
            case do.MakePlan(number, _):
                self.planning.add(number)
            case do.WatchQueue(number):
                self.watched.add(number)
            case do.AskServer(number, _):
                self.asked.add(number)
            case do.MakeLive(number, canary, tenths):
                assert number in self.servers, "only what runs is given requests"
                assert bool(canary) == bool(tenths)
                assert not canary or canary in self.servers, "only what runs is given requests"
            case do.Forget(number):
                assert number not in self.servers, "only what has left is forgotten"
            case do.Say(told.Ready()):
                self.was_ready = True
            case do.Exit():
                assert not self.servers, "nothing outlives Portico"
                assert not self.gateway, "nothing outlives Portico"
                assert self.stop_asked or not self.was_ready, "a serving site never ends by itself"
                self.exit = action


@settings(max_examples=600, deadline=None)
@given(Choices)
def test_no_history_breaks_the_laws(choices: list[int]) -> None:
    world = Pretended()
    world.tell(was.Begin(1))
    for choice in choices:
        if world.exit is not None:
            return
        events = world.could_happen()
        world.tell(events[choice % len(events)])


@settings(max_examples=600, deadline=None)
@given(Choices, st.booleans())
def test_every_history_can_be_stopped(choices: list[int], is_stubborn: bool) -> None:
    """Whatever happened: asked to stop, all end, also those that leave only when they are killed."""
    world = Pretended()
    world.tell(was.Begin(1))
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
            world.tell(was.ServerExited(min(world.told_to_leave & world.servers), 0))
        elif wake_at(world.state) is not None:
            world.tell(was.Tick())
        elif world.gateway:
            world.tell(was.GatewayExited(-9))
        else:
            world.tell(was.ServerExited(min(world.servers), -9))
    raise AssertionError(f"still not over: {world.state}")
