"""Feeds events to the machine one by one, and wakes it at the times that it asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from portico.run import machine
from portico.run.machine import State
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import Action
from portico.run.machine.event import Event, NotDone

Perform = Callable[[Action], NotDone | None]
"""Performs or starts an action; returns the error, if any."""


class Driver:
    """`tell` queues an event; `run` passes events to the machine, and its actions to `perform`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()

    def time(self) -> float:
        """The machine's time: monotonic, independent of the system clock."""
        return self._loop.time()

    def tell(self, event: Event) -> None:
        self._events.append(event)
        self._arrived.set()

    async def run(self, perform: Perform, first: Event) -> do.Exit:
        """Run from the first event to the machine's Exit."""
        self.tell(first)
        while True:
            await self._wait()
            self._arrived.clear()
            while self._events:
                if end := self._step(perform, self._events.popleft()):
                    return end

    def _step(self, perform: Perform, event: Event) -> do.Exit | None:
        self.state, failures, end = obey(self.state, event, self.time(), perform)
        self._events.extendleft(reversed(failures))
        return end

    async def _wait(self) -> None:
        """Wait for the next event; a Tick if the machine's time comes first."""
        try:
            async with asyncio.timeout_at(machine.wake_at(self.state)):
                await self._arrived.wait()
        except TimeoutError:
            self.tell(was.Tick())


def obey(
    state: State, event: Event, now: float, perform: Perform
) -> tuple[State, list[NotDone], do.Exit | None]:
    """Handle one event. A failure undoes the step if the previous state keeps serving; otherwise it becomes an
    event.
    """
    failures = list[NotDone]()
    before, (state, actions) = state, machine.step(state, event, now)
    todo = deque(actions)
    while todo:
        action = todo.popleft()
        if isinstance(action, do.Exit):
            return state, failures, action
        if (failed := perform(action)) is None:
            continue
        if (back := machine.way_back(before, state, failed, now)) is None:
            failures.append(failed)
        else:
            state, actions = back
            before, todo = state, deque(actions)
    return state, failures, None
