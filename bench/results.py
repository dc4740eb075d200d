"""What was measured, as values that go to JSON and come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from portico.measure.cpu import Role


class Sample(msgspec.Struct, frozen=True):
    """One peer under one workload in one round."""

    peer: str
    workload: str
    round: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    unexpected: int  # answers of another status class than the workload's
    socket_errors: int
    cpu_us: dict[Role, float]  # a request
    memory_mb: dict[Role, float]  # PSS of the tree
    worker_mb: float  # PSS of one worker of the app
    machine_load: float | None = None  # of the last minute, by the kernel; the bench's own is in it

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def whole_us(self) -> float:
        return sum(self.cpu_us.values())

    @property
    def whole_mb(self) -> float:
        return sum(self.memory_mb.values())


class FloorSample(msgspec.Struct, frozen=True):
    workload: str
    round: int
    cpu_us: float


class Problem(msgspec.Struct, frozen=True):
    """A workload that a peer could not be measured with."""

    peer: str
    workload: str
    round: int
    reason: str


class Entry(msgspec.Struct, frozen=True):
    """A peer that took part. `missing` is the reason when it could not, `app` the app that it serves."""

    key: str
    name: str
    detail: str
    missing: str = ""
    app: str = "app"


class Machine(msgspec.Struct, frozen=True):
    cpu: str
    cores: int
    memory_mb: int
    system: str


class Results(msgspec.Struct, frozen=True):
    date: str
    machine: Machine
    versions: dict[str, str]
    rounds: int
    seconds: float
    connections: int
    workloads: list[str]
    entries: list[Entry]
    floor: list[FloorSample]
    samples: list[Sample]
    problems: list[Problem]

    def spread(self, peer: str, workload: str, of: Callable[[Sample], float]) -> Spread | None:
        return spread([of(each) for each in self.samples if (each.peer, each.workload) == (peer, workload)])

    def floor_spread(self, workload: str) -> Spread | None:
        return spread([each.cpu_us for each in self.floor if each.workload == workload])

    @property
    def machine_load(self) -> Spread | None:
        return spread([each.machine_load for each in self.samples if each.machine_load is not None])

    def entry(self, key: str) -> Entry | None:
        return next((each for each in self.entries if each.key == key), None)


class Spread(msgspec.Struct, frozen=True):
    median: float
    low: float
    high: float


def spread(numbers: list[float]) -> Spread | None:
    return Spread(median(numbers), min(numbers), max(numbers)) if numbers else None


def save(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)
