"""The rounds of a measurement: each starts every contender afresh, in alternating order."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import psutil
from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.measure.ask import Answer, PeerError, ask, stands_slow_clients, together, wait_until_ready
from portico.measure.contenders import Way
from portico.measure.cpu import cpu_seconds, memory_bytes, worker_count
from portico.measure.model import Part, Results, Route, Sample
from portico.measure.programs import Programs, stand
from portico.measure.routes import MOST
from portico.measure.wrk import Figures, LoadError, children_seconds, wrk

_WARM_UP_SECONDS = 1
_FEWEST = 3
"""Rounds that are made however long they take."""
_WARM_UP_REQUESTS = 20
_START_SECONDS, _END_SECONDS = 2.0, 1.0
"""About what a start and an end take of a small app, for the estimate."""
_FAILED_STATUS = 400

Say = Callable[[str], None]
_T = TypeVar("_T")


class Order(Struct, frozen=True):
    """What is measured. Contenders that `run_together` are under load at the same time: whatever else the machine does
    then meets them alike. Those that `take_turns` are all started, and get the load one after the other, slice by
    slice: so each has the whole machine. Else one contender runs at a time. In a round each is started once and each
    route is measured in `slices`. After `limit_seconds` no round begins, if there were enough to compare.
    """

    app: str
    ways: Sequence[Way]
    candidates: Sequence[Route]
    is_named: bool
    host: str
    rounds: int
    slices: int
    seconds: int
    connections: int
    start_seconds: float
    limit_seconds: float
    run_together: bool = False
    take_turns: bool = False

    @property
    def connections_each(self) -> int:
        return max(1, self.connections // 2) if self.run_together else self.connections

    def about_seconds(self, routes: int) -> float:
        there = sum(not way.missing for way in self.ways)
        start, loads = _START_SECONDS + _END_SECONDS, _WARM_UP_SECONDS + self.slices * routes * self.seconds
        each = there * (start if self.run_together else start + loads) + self.run_together * loads
        return start + self.rounds * each


class Session:
    """The samples so far. `base` is the contender that says what a route answers."""

    def __init__(self, order: Order, base: str, say: Say) -> None:
        self._order, self._say = order, say
        self._base = next((way for way in order.ways if way.key == base and not way.missing), order.ways[0])
        self._missing: dict[str, str] = {way.key: way.missing for way in order.ways if way.missing}
        self._stands: dict[str, bool] = {}
        self._routes: list[Route] = []
        self._rounds = 0
        self._alone: dict[tuple[str, str], Answer] = {}
        self._samples: list[Sample] = []
        self._problems: dict[str, None] = {}

    def run(self) -> Results:
        """Raises PorticoError if the first contender does not start, or no route can be measured."""
        self._routes = self._look()
        about = self._order.about_seconds(len(self._routes))
        names = ", ".join(route.title for route in self._routes)
        self._say(f"about {about:.0f} s: {names}, {self._order.connections} at once")
        begun = time.monotonic()
        for number in range(self._order.rounds):
            if number >= _FEWEST and time.monotonic() - begun > self._order.limit_seconds:
                self._say(f"{self._order.limit_seconds:.0f} s are over: {number} rounds")
                break
            self._rounds = number + 1
            for group in _turned(self._groups(), number):
                self._measure_group(group, number)
        return self._results()

    def _look(self) -> list[Route]:
        """The candidates that the app answers, with their statuses."""
        self._say(f"looking for routes: {self._base.name} starts")
        try:
            with launched(self._base) as programs:
                self._wait(programs)
                return self._answering(programs.port)
        except (PeerError, OSError) as error:
            raise PorticoError(Problem(self._base.name, str(error), "try it alone: portico run")) from None

    def _answering(self, port: int) -> list[Route]:
        found, refused = list[Route](), list[str]()
        for route in self._order.candidates:
            parts, others = self._tried(port, route)
            if not route.mix:
                refused += others
                found += [replace(route, status=parts[0].status)] if parts else []
            elif len(parts) > 1:
                self._problems |= {f"of {route.title}: {one}": None for one in others}
                found.append(replace(route, mix=tuple(parts)))
            if len(found) == MOST and not self._order.is_named:
                break
        if self._order.is_named and refused:
            raise PorticoError(Problem("--route", "; ".join(refused), "name routes that answer a plain GET"))
        if not found:
            what = "; ".join(refused) or "the app has no GET route without arguments"
            raise PorticoError(Problem("", f"no route to measure: {what}", "name one: --route /items"))
        return found

    def _tried(self, port: int, route: Route) -> tuple[list[Part], list[str]]:
        """Its parts that can be measured, with their statuses, and what is wrong with the others."""
        found, refused = list[Part](), list[str]()
        for part in route.parts:
            try:
                status = ask(port, part.path, self._order.host).status
            except (OSError, HTTPException) as error:
                refused.append(f"GET {part.path}: {error}")
                continue
            if status < (_FAILED_STATUS if self._order.is_named else 300):
                found.append(replace(part, status=status))
            else:
                refused.append(f"GET {part.path} answers {status}")
        return found, refused

    def _groups(self) -> list[list[Way]]:
        there = [way for way in self._order.ways if way.key not in self._missing]
        is_one = self._order.run_together or self._order.take_turns
        return [there] if is_one else [[way] for way in there]

    def _measure_group(self, group: Sequence[Way], number: int) -> None:
        with ExitStack() as stack:
            running = list[tuple[Way, Programs]]()
            for way in _turned(group, number):
                self._say(f"round {number + 1} of {self._order.rounds}: {way.name} starts")
                running.append((way, stack.enter_context(launched(way))))
            running = [(way, programs) for way, programs in running if self._is_ready(way, programs)]
            self._warm_up(running)
            for index, route in enumerate(self._routes * self._order.slices):
                for part in self._parts(running, index):
                    self._measure(part, route, number)
            for way, programs in running:
                if way.key not in self._stands:
                    self._stands[way.key] = stands_slow_clients(
                        programs.port, self._routes[0].parts[0].path, self._order.host
                    )

    def _parts(
        self, running: list[tuple[Way, Programs]], index: int
    ) -> Sequence[Sequence[tuple[Way, Programs]]]:
        """Those that are under load at the same time."""
        return [[one] for one in _turned(running, index)] if self._order.take_turns else [running]

    def _is_ready(self, way: Way, programs: Programs) -> bool:
        try:
            self._wait(programs)
        except (PeerError, OSError) as error:
            self._missing.setdefault(way.key, str(error))
        return way.key not in self._missing

    def _wait(self, programs: Programs) -> None:
        path = self._routes[0].parts[0].path if self._routes else "/"
        wait_until_ready(programs, path, self._order.host, self._order.start_seconds)

    def _warm_up(self, running: Sequence[tuple[Way, Programs]]) -> None:
        with ThreadPoolExecutor(max(1, len(running))) as pool:
            for _, programs in running:
                pool.submit(self._load, programs, self._routes[0], _WARM_UP_SECONDS)
        for _, programs in running:
            self._ask_others(programs)

    def _ask_others(self, programs: Programs) -> None:
        for route in self._routes[1:]:
            with suppress(OSError, HTTPException):  # the measurement says what is wrong
                for _ in range(_WARM_UP_REQUESTS):
                    ask(programs.port, route.parts[0].path, self._order.host)

    def _measure(self, running: Sequence[tuple[Way, Programs]], route: Route, number: int) -> None:
        """One route. A contender that fails it is still asked for the others."""
        ready = [(way, programs) for way, programs in running if self._answers(way, programs, route)]
        if not ready:
            return
        names = " and ".join(way.name for way, _ in ready)
        self._say(f"round {number + 1} of {self._order.rounds}: {names}, {route.title}")
        try:
            self._samples += self._sampled(ready, route, number)
        except (PeerError, LoadError, OSError) as error:
            self._problems[f"{names}, {route.title}: {error}"] = None
        for way, programs in ready:  # what still waits in its queue must not be measured with the next route
            self._answers(way, programs, route)

    def _answers(self, way: Way, programs: Programs, route: Route) -> bool:
        """Whether one request gets the status that it should have; of a mix, one for each of its paths."""
        alone = list[tuple[Answer, int]]()
        for part in route.parts:
            try:
                answer = ask(programs.port, part.path, self._order.host)
                status = answer.status
                problem = f"answers {status}, {self._base.name} answers {part.status}"
                alone.append((answer, part.times))
            except (OSError, HTTPException) as error:
                status, problem = 0, str(error)
            if status != part.status:
                self._problems[f"{way.name}, GET {part.path}: {problem}"] = None
                return False
        self._alone[way.key, route.path] = together(alone)
        return True

    def _load(self, programs: Programs, route: Route, seconds: int) -> Figures:
        headers = (f"Host: {self._order.host}",) if self._order.host else ()
        url = f"http://127.0.0.1:{programs.port}{route.parts[0].path}"
        return wrk(url, seconds, self._order.connections_each, headers=headers, paths=route.sequence)

    def _sampled(self, ready: Sequence[tuple[Way, Programs]], route: Route, number: int) -> Iterator[Sample]:
        """One sample of each, all under load at the same time. Raises PeerError and LoadError."""
        before, machine = [cpu_seconds(programs.tree()) for _, programs in ready], _machine_seconds()
        ours, begun = children_seconds(), time.monotonic()
        with ThreadPoolExecutor(len(ready)) as pool:
            loads = [pool.submit(self._load, programs, route, self._order.seconds) for _, programs in ready]
        trees = [programs.tree() for _, programs in ready]
        used = [
            {role: now - then[role] for role, now in cpu_seconds(tree).items()}
            for tree, then in zip(trees, before, strict=True)
        ]
        ours, machine = children_seconds() - ours, _machine_seconds() - machine
        elapsed = time.monotonic() - begun
        cores = psutil.cpu_count() or 1
        others = max(0.0, machine - ours - sum(sum(each.values()) for each in used)) / (elapsed * cores)
        for (way, programs), load, tree, cpu in zip(ready, loads, trees, used, strict=True):
            seen, alone = load.result(), self._alone[way.key, route.path]
            if dead := programs.dead():
                raise PeerError(dead)
            if not seen.requests:
                raise PeerError(f"no request was answered in {self._order.seconds} s: name more --seconds")
            yield Sample(
                contender=way.key,
                route=route.path,
                round=number,
                requests=seen.requests,
                seconds=seen.seconds,
                p50_ms=seen.p50_ms,
                p99_ms=seen.p99_ms,
                failed=seen.above_399
                + seen.socket_errors
                + (0 if alone.ends_with_connection else seen.read_errors),
                cpu_us={role: seconds / seen.requests * 1e6 for role, seconds in cpu.items()},
                memory_mb={role: size / 1e6 for role, size in memory_bytes(tree).items()},
                workers=worker_count(tree),
                cores=cores,
                alone_ms=alone.ms,
                others=others,
            )

    def _results(self) -> Results:
        contenders = [
            replace(
                way.contender, missing=self._missing.get(way.key, ""), slow_clients=self._stands.get(way.key)
            )
            for way in self._order.ways
        ]
        return Results(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            app=self._order.app,
            machine=machine(),
            rounds=self._rounds,
            seconds=self._order.seconds,
            connections=self._order.connections,
            routes=self._routes,
            contenders=contenders,
            samples=self._samples,
            problems=list(self._problems),
        )


@contextmanager
def launched(way: Way) -> Iterator[Programs]:
    """The contender's programs, started and not waited for."""
    with stand() as own:
        setup = way.setup(own)
        for name, text in setup.files.items():
            (own.directory / name).write_text(text)
        programs = Programs(own)
        try:
            for program in setup.programs:
                programs.launch(program)
            yield programs
        finally:
            programs.end()


def _turned(items: Sequence[_T], number: int) -> list[_T]:
    """Forwards, backwards, forwards: nobody always follows the same neighbour."""
    return list(items) if number % 2 == 0 else list(reversed(items))


def _machine_seconds() -> float:
    """What all programs of the machine have used of its processors."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def machine() -> str:
    """The processor, its cores and the memory, in words."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / (1 << 30)
    return f"{model}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"
