"""What the figures mean: what limits each contender, and how it compares with the one that the others are held against.
Pure.
"""

from __future__ import annotations

from statistics import median

from msgspec import Struct

from portico.measure.model import Contender, Results, Sample, by_round
from portico.measure.statistics import CONFIDENCE, Ratio, ratio, shared

USUAL_CONFIDENCE = 0.95
"""Of the table, where few rounds are usual."""
_FULL, _IDLE = 0.8, 0.5
"""Shares of what there is of processors: above the first they are the limit, below the second something else is."""
_LONG_MS, _MANY = 5.0, 5
"""A request alone that takes longer, and so many times its CPU time, waits for something."""
_FEW = 0.001


class Change(Struct, frozen=True):
    """One figure of one route, before and after."""

    route: str
    figure: str
    before: float
    after: float
    ratio: Ratio

    @property
    def word(self) -> str:
        if not self.ratio.is_sure:
            return "no difference seen"
        return "slower" if self.ratio.ratio > 1 else "faster"


FIGURES = {
    "CPU µs a request": lambda one: one.whole_us,
    "response time p50, ms": lambda one: one.p50_ms,
}


def changes(results: Results, before: str, after: str) -> list[Change]:
    """Every figure of every route; each interval is so wide that all of them together have the stated confidence."""
    level = shared(CONFIDENCE, len(FIGURES) * len(results.routes))
    found = list[Change]()
    for route in results.routes:
        pairs = _paired(results, before, after, route.path)
        for name, figure in FIGURES.items():
            first, second = (by_round(side, figure) for side in pairs)
            if one := ratio(first, second, level):
                found.append(Change(route.path, name, median(first), median(second), one))
    return found


def against(results: Results, base: str, other: str, route: str) -> Ratio | None:
    """The CPU time of a request, as a multiple of the base's."""
    first, second = (
        by_round(side, lambda one: one.whole_us) for side in _paired(results, base, other, route)
    )
    return ratio(first, second, USUAL_CONFIDENCE)


def _paired(results: Results, first: str, second: str, route: str) -> tuple[list[Sample], list[Sample]]:
    """The samples of the rounds in which both were measured."""
    sides = results.of(first, route), results.of(second, route)
    rounds = {one.round for one in sides[0]} & {one.round for one in sides[1]}
    left, right = ([one for one in side if one.round in rounds] for side in sides)
    return left, right


def verdict(results: Results, contender: Contender, base: str, route: str) -> str:
    """A few words: what matters most."""
    failed, asked = results.failed(contender.key, route), results.asked(contender.key, route)
    if failed > _FEW * asked:
        return f"{failed / max(1, asked):.1%} of requests fail"
    words = []
    if contender.slow_clients is False:
        words.append("slow clients stop it")
    if contender.key != base and (found := against(results, base, contender.key, route)):
        cost = f"{found.ratio:.2f} x CPU ({found.low:.2f} to {found.high:.2f})"
        words.append(cost if found.is_sure else "no difference in CPU seen")
    elif contender.key == base:
        words.append("the others are compared with this")
    return "; ".join(words)


def bottleneck(samples: list[Sample], connections: int) -> str:
    """What limits the rate, and the figures that show it; empty without samples."""
    if not samples:
        return ""
    cores = samples[0].cores
    used = median(one.rate * one.whole_us / 1e6 for one in samples)
    app = median(one.rate * one.cpu_us.get("app", 0.0) / 1e6 for one in samples)
    gateway = median(one.rate * one.cpu_us.get("gateway", 0.0) / 1e6 for one in samples)
    others = median(one.others for one in samples)
    workers = round(median(one.workers for one in samples))
    seen = f"{used:.1f} of {cores} cores are used"
    if used > (_FULL - 0.2) * cores:  # wrk takes its part
        who, most = ("the app's code", app) if app >= gateway else ("the gateway", gateway)
        return f"the processor: {seen}, {most / used:.0%} of that by {who} and its server"
    if workers < cores and app > _FULL * workers:
        return f"Python's lock: its {_processes(workers)} {app:.1f} cores, and {cores} are there"
    alone, busy = min(one.alone_ms for one in samples), median(one.whole_us for one in samples) / 1e3
    if alone > max(_LONG_MS, _MANY * busy):
        return (
            f"waiting: a request that is sent alone takes {alone:.1f} ms, {busy:.1f} ms on a processor; the rest "
            f"it waits for a database, another server or a sleep. Only {seen}, with {connections} requests at once"
        )
    if others > 1 - _FULL:
        return f"other programs: they took {others:.0%} of the machine meanwhile"
    if used < _IDLE * cores:
        return f"waiting: only {seen}, with {connections} requests at once: they wait for a free thread or a lock"
    return f"nothing alone: {seen}"


def _processes(count: int) -> str:
    return "one process uses" if count == 1 else f"{count} processes use"
