"""What was measured, as values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from portico.measure.cpu import Role
from portico.measure.statistics import Spread, spread

SLOW_CLIENTS = 20
"""Clients that send half a request: more than the workers and threads of most set-ups."""


MIX = "the log's mix"


class Part(Struct, frozen=True):
    """A path of a mix, and how many of its requests ask for it."""

    path: str
    times: int
    status: int = 200


class Route(Struct, frozen=True):
    """A path that is asked, `share` of the requests by the log (0: unknown), and where it was found. With a `mix` it is
    many paths, and `path` is the mix's name.
    """

    path: str
    origin: str
    share: float = 0.0
    status: int = 200
    mix: tuple[Part, ...] = ()

    @property
    def title(self) -> str:
        return titled(self.path)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.mix or (Part(self.path, 1, self.status),)

    @property
    def sequence(self) -> list[str]:
        """The paths of a mix in the order in which they are asked, each as evenly spread as it can be."""
        turns = (
            ((number + 0.5) / part.times, part.path) for part in self.mix for number in range(part.times)
        )
        return [path for _, path in sorted(turns)]


def titled(path: str) -> str:
    """The name of a route."""
    return path if path == MIX else f"GET {path}"


class Sample(Struct, frozen=True):
    """One contender and one route in one round. A round may have several."""

    contender: str
    route: str
    round: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int
    """Answers of another kind than the route's, and connections that broke or timed out."""
    cpu_us: Mapping[Role, float]
    """CPU time of the whole process tree, divided by the requests."""
    memory_mb: Mapping[Role, float]
    """Proportional set size of the tree."""
    workers: int
    """Processes that run the app."""
    cores: int
    alone_ms: float = 0.0
    """How long the request took that was sent alone, before the load."""
    others: float = 0.0
    """The share of the machine that neither the programs nor wrk used, but somebody else."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def whole_us(self) -> float:
        return sum(self.cpu_us.values())

    @property
    def whole_mb(self) -> float:
        return sum(self.memory_mb.values())


class Contender(Struct, frozen=True):
    """`missing` says why it was not measured. `slow_clients`: whether it answered others while 20 clients sent half a
    request each; None: it was not tried.
    """

    key: str
    name: str
    detail: str
    missing: str = ""
    slow_clients: bool | None = None


class Results(Struct, frozen=True):
    date: str
    app: str
    machine: str
    rounds: int
    seconds: int
    connections: int
    routes: list[Route]
    contenders: list[Contender]
    samples: list[Sample]
    problems: list[str]

    def of(self, contender: str, route: str) -> list[Sample]:
        return [one for one in self.samples if (one.contender, one.route) == (contender, route)]

    def spread(self, contender: str, route: str, figure: Callable[[Sample], float]) -> Spread | None:
        return spread(by_round(self.of(contender, route), figure))

    def failed(self, contender: str, route: str) -> int:
        return sum(one.failed for one in self.of(contender, route))

    def asked(self, contender: str, route: str) -> int:
        return sum(one.requests for one in self.of(contender, route))


def by_round(samples: list[Sample], figure: Callable[[Sample], float]) -> list[float]:
    """One figure a round: the mean of its samples by their requests, so that a moment in which the machine was busy
    with something else counts little.
    """
    rounds: dict[int, list[Sample]] = {}
    for one in samples:
        rounds.setdefault(one.round, []).append(one)
    return [
        sum(figure(one) * one.requests for one in samples) / sum(one.requests for one in samples)
        for _, samples in sorted(rounds.items())
    ]
