"""One session: every peer, every workload, several rounds in alternating order, and what came out."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import psutil

from bench.floor import floor
from bench.install import python
from bench.load import load
from bench.peers import Peer
from bench.results import Entry, FloorSample, Machine, Problem, Results, Sample
from bench.running import PeerError, Running, running
from bench.versions import versions
from bench.workloads import Workload
from portico.measure.cpu import Member, Role, cpu_seconds, memory_bytes, worker_bytes
from portico.measure.wrk import CONNECTIONS, LoadError


@dataclass(frozen=True)
class Plan:
    peers: Sequence[Peer]
    workloads: Sequence[Workload]
    rounds: int
    seconds: float
    warm_up_seconds: float

    @property
    def steps(self) -> int:
        asked = sum(len(self.asked(peer)) for peer in self.peers)
        return self.rounds * (asked + len(self.workloads))

    def asked(self, peer: Peer) -> list[Workload]:
        """Those of the app that it serves."""
        return [workload for workload in self.workloads if workload.app == peer.app]


Step = Callable[[str, int], None]  # what is being done now, how many steps that finished


class Session:
    """The collected samples while the rounds go on."""

    def __init__(self, plan: Plan, missing: dict[str, str], step: Step) -> None:
        self._plan = plan
        self._step = step
        self._missing = {peer.key: reason for peer in plan.peers if (reason := _unmet(peer, missing))}
        self._samples: list[Sample] = []
        self._floor: list[FloorSample] = []
        self._problems: list[Problem] = []
        self._body_bytes: dict[str, int] = {}  # of the app's own answer, by workload

    def run(self) -> Results:
        for number in range(self._plan.rounds):
            self._measure_floor(number)
            for peer in _order(self._plan.peers, number):
                self._measure_peer(peer, number)
        return self._results()

    def _measure_floor(self, number: int) -> None:
        for workload in self._plan.workloads:
            self._step(f"round {number + 1}: in-process, {workload.title}", 0)
            found = floor(python(), workload, self._plan.seconds / 2)
            self._floor.append(FloorSample(workload.key, number, found.cpu_us))
            self._body_bytes[workload.key] = found.body_bytes
            self._step("", 1)

    def _measure_peer(self, peer: Peer, number: int) -> None:
        if peer.key in self._missing:
            self._step("", len(self._plan.asked(peer)))
            return
        if not self._plan.asked(peer):
            return
        self._step(f"round {number + 1}: {peer.name} starts", 0)
        try:
            with running(peer) as house:
                for workload in self._plan.asked(peer):
                    self._step(f"round {number + 1}: {peer.name}, {workload.title}", 0)
                    self._measure(house, peer, workload, number)
                    self._step("", 1)
        except (PeerError, OSError) as error:
            self._missing[peer.key] = str(error)
            self._step("", len(self._plan.asked(peer)))

    def _measure(self, house: Running, peer: Peer, workload: Workload, number: int) -> None:
        """A peer that fails one workload is still asked for the others."""
        try:
            house.check(workload, self._body_bytes[workload.key])
            self._samples.append(_sample(house, peer, workload, number, self._plan))
        except (PeerError, LoadError, OSError, HTTPException) as error:
            self._problems.append(Problem(peer.key, workload.key, number, str(error)))

    def _results(self) -> Results:
        return Results(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            machine=_machine(),
            versions=versions(),
            rounds=self._plan.rounds,
            seconds=self._plan.seconds,
            connections=CONNECTIONS,
            workloads=[workload.key for workload in self._plan.workloads],
            entries=[
                Entry(peer.key, peer.name, peer.detail, self._missing.get(peer.key, ""), peer.app)
                for peer in self._plan.peers
            ],
            floor=self._floor,
            samples=self._samples,
            problems=self._problems,
        )


def _unmet(peer: Peer, missing: dict[str, str]) -> str:
    return "; ".join(f"{need}: {missing[need]}" for need in peer.needs if need in missing)


def _order(peers: Sequence[Peer], number: int) -> list[Peer]:
    """Forwards, backwards, forwards: nobody always follows the same neighbour."""
    return list(peers) if number % 2 == 0 else list(reversed(peers))


def _sample(house: Running, peer: Peer, workload: Workload, number: int, plan: Plan) -> Sample:
    load(house.port, workload, plan.warm_up_seconds)
    before = cpu_seconds(house.tree())
    seen = load(house.port, workload, plan.seconds)
    tree = house.tree()
    after = cpu_seconds(tree)
    if dead := house.dead():
        raise PeerError(f"{workload.key}: {dead}")
    if not seen.requests:
        raise PeerError(f"{workload.key}: no request was answered in {plan.seconds:g} s")
    return Sample(
        peer=peer.key,
        workload=workload.key,
        round=number,
        requests=seen.requests,
        seconds=seen.seconds,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        unexpected=seen.unexpected,
        socket_errors=seen.socket_errors,
        cpu_us={role: (after[role] - before[role]) / seen.requests * 1e6 for role in after},
        memory_mb=_memory_mb(tree),
        worker_mb=worker_bytes(tree) / 1e6,
        machine_load=os.getloadavg()[0],
    )


def _memory_mb(tree: list[Member]) -> dict[Role, float]:
    return {role: size / 1e6 for role, size in memory_bytes(tree).items()}


def _machine() -> Machine:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    system = f"{platform.system()} {platform.release()}"
    return Machine(model, psutil.cpu_count() or 0, round(psutil.virtual_memory().total / 1e6), system)
