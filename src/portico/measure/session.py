"""The rounds of a measurement: each starts every contender afresh, in alternating order."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import psutil
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.measure.ask import PeerError, ask, stands_slow_clients, wait_until_ready
from portico.measure.contenders import Way
from portico.measure.cpu import cpu_seconds, memory_bytes, worker_count
from portico.measure.model import Results, Route, Sample
from portico.measure.programs import Programs, end_all, stand
from portico.measure.routes import MOST
from portico.measure.wrk import LoadError, children_seconds, wrk

_WARM_UP_SECONDS = 1
_WARM_UP_REQUESTS = 20
_START_SECONDS, _END_SECONDS = 2.0, 1.0
"""About what a start and an end take of a small app, for the estimate."""
_FAILED_STATUS = 400

Say = Callable[[str], None]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Order:
    """What is measured. Contenders that `run_together` are all there at the same time, in each round; the load goes to
    one of them at a time, there and back. Else one contender runs at a time.
    """

    app: str
    ways: Sequence[Way]
    candidates: Sequence[Route]
    is_named: bool
    host: str
    rounds: int
    seconds: int
    connections: int
    start_seconds: float
    run_together: bool = False

    @property
    def passes(self) -> int:
        return 2 if self.run_together else 1

    def about_seconds(self, routes: int) -> float:
        each = _START_SECONDS + _END_SECONDS + _WARM_UP_SECONDS + self.passes * routes * (self.seconds + 0.2)
        there = sum(not way.missing for way in self.ways)
        return (each * self.rounds * there) + _START_SECONDS + _END_SECONDS


class Session:
    """The samples so far. `base` is the contender that says what a route answers."""

    def __init__(self, order: Order, base: str, say: Say) -> None:
        self._order, self._say = order, say
        self._base = next((way for way in order.ways if way.key == base and not way.missing), order.ways[0])
        self._missing: dict[str, str] = {way.key: way.missing for way in order.ways if way.missing}
        self._stands: dict[str, bool] = {}
        self._routes: list[Route] = []
        self._samples: list[Sample] = []
        self._problems: dict[str, None] = {}

    def run(self) -> Results:
        """Raises PorticoError if the first contender does not start, or no route can be measured."""
        try:
            self._routes = self._look()
            about = self._order.about_seconds(len(self._routes))
            paths = ", ".join(route.path for route in self._routes)
            self._say(f"about {about:.0f} s: GET {paths}, {self._order.connections} at once")
            for number in range(self._order.rounds):
                for group in _turned(self._groups(), number):
                    self._measure_group(group, number)
        finally:
            end_all()
        return self._results()

    def _look(self) -> list[Route]:
        """The candidates that the app answers, with their statuses."""
        self._say(f"looking for routes: {self._base.name} starts")
        try:
            with self._running(self._base) as programs:
                return self._answering(programs.port)
        except (PeerError, OSError) as error:
            raise PorticoError(Problem(self._base.name, str(error), "try it alone: portico run")) from None

    def _answering(self, port: int) -> list[Route]:
        found, refused = list[Route](), list[str]()
        for route in self._order.candidates:
            try:
                status = ask(port, route.path, self._order.host).status
            except (OSError, HTTPException) as error:
                refused.append(f"GET {route.path}: {error}")
                continue
            is_good = status < (_FAILED_STATUS if self._order.is_named else 300)
            if is_good:
                found.append(replace(route, status=status))
            else:
                refused.append(f"GET {route.path} answers {status}")
            if len(found) == MOST and not self._order.is_named:
                break
        if self._order.is_named and refused:
            raise PorticoError(Problem("--route", "; ".join(refused), "name routes that answer a plain GET"))
        if not found:
            what = "; ".join(refused) or "the app has no GET route without arguments"
            raise PorticoError(Problem("", f"no route to measure: {what}", "name one: --route /items"))
        return found

    def _groups(self) -> list[list[Way]]:
        there = [way for way in self._order.ways if way.key not in self._missing]
        return [there] if self._order.run_together else [[way] for way in there]

    def _measure_group(self, group: Sequence[Way], number: int) -> None:
        with ExitStack() as stack:
            running = list[tuple[Way, Programs]]()
            for way in _turned(group, number):
                self._say(f"round {number + 1} of {self._order.rounds}: {way.name} starts")
                try:
                    programs = stack.enter_context(self._running(way))
                    self._warm_up(programs)
                except (PeerError, LoadError, OSError) as error:
                    self._missing.setdefault(way.key, str(error))
                    continue
                running.append((way, programs))
            for turn in range(self._order.passes):
                for way, programs in _turned(running, turn):
                    self._measure(way, programs, number)
            for way, programs in running:
                if way.key not in self._stands:
                    self._stands[way.key] = stands_slow_clients(
                        programs.port, self._routes[0].path, self._order.host
                    )

    @contextmanager
    def _running(self, way: Way) -> Iterator[Programs]:
        """The contender, answering. Raises PeerError if it does not start."""
        with stand() as own:
            setup = way.setup(own)
            for name, text in setup.files.items():
                (own.directory / name).write_text(text)
            programs = Programs(own)
            try:
                for program in setup.programs:
                    programs.launch(program)
                path = self._routes[0].path if self._routes else "/"
                wait_until_ready(programs, path, self._order.host, self._order.start_seconds)
                yield programs
            finally:
                programs.end()

    def _warm_up(self, programs: Programs) -> None:
        self._load(programs, self._routes[0], _WARM_UP_SECONDS)
        for route in self._routes[1:]:
            for _ in range(_WARM_UP_REQUESTS):
                ask(programs.port, route.path, self._order.host)

    def _measure(self, way: Way, programs: Programs, number: int) -> None:
        """A contender that fails one route is still asked for the others."""
        for route in self._routes:
            self._say(f"round {number + 1} of {self._order.rounds}: {way.name}, GET {route.path}")
            try:
                status = ask(programs.port, route.path, self._order.host).status
                if status != route.status:
                    raise PeerError(f"answers {status}, {self._base.name} answers {route.status}")
                self._samples.append(self._sample(way, programs, route, number))
                # What still waits in its queue must not be measured with the next route.
                ask(programs.port, route.path, self._order.host)
            except (PeerError, LoadError, OSError, HTTPException) as error:
                self._problems[f"{way.name}, GET {route.path}: {error}"] = None

    def _load(self, programs: Programs, route: Route, seconds: int) -> tuple[int, float, float, float, int]:
        headers = (f"Host: {self._order.host}",) if self._order.host else ()
        url = f"http://127.0.0.1:{programs.port}{route.path}"
        seen = wrk(url, seconds, self._order.connections, headers=headers)
        return seen.requests, seen.seconds, seen.p50_ms, seen.p99_ms, seen.above_399 + seen.socket_errors

    def _sample(self, way: Way, programs: Programs, route: Route, number: int) -> Sample:
        before, machine = cpu_seconds(programs.tree()), _machine_seconds()
        ours, begun = children_seconds(), time.monotonic()
        requests, seconds, p50, p99, failed = self._load(programs, route, self._order.seconds)
        tree = programs.tree()
        after, elapsed = cpu_seconds(tree), time.monotonic() - begun
        ours, machine = children_seconds() - ours, _machine_seconds() - machine
        if dead := programs.dead():
            raise PeerError(dead)
        if not requests:
            raise PeerError(f"no request was answered in {self._order.seconds} s: name more --seconds")
        used = sum(after[role] - before[role] for role in after)
        cores = psutil.cpu_count() or 1
        return Sample(
            contender=way.key,
            route=route.path,
            round=number,
            requests=requests,
            seconds=seconds,
            p50_ms=p50,
            p99_ms=p99,
            failed=failed,
            cpu_us={role: (after[role] - before[role]) / requests * 1e6 for role in after},
            memory_mb={role: size / 1e6 for role, size in memory_bytes(tree).items()},
            workers=worker_count(tree),
            cores=cores,
            others=max(0.0, (machine - used - ours) / (elapsed * cores)),
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
            rounds=self._order.rounds,
            seconds=self._order.seconds,
            connections=self._order.connections,
            routes=self._routes,
            contenders=contenders,
            samples=self._samples,
            problems=list(self._problems),
        )


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
