"""The figures of `portico bench` in words, for the terminal and the report. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.cli.words import cut
from portico.measure.model import SLOW_CLIENTS, Contender, Results, Route, titled
from portico.measure.statistics import CONFIDENCE, LEAST, Spread
from portico.measure.verdict import Change, verdict

HEADS = (
    "pattern", "server load", "response time", "concurrency handling", "memory", "failed", "verdict",
)  # fmt: skip
UNITS = ("", "CPU µs a request", "p50, p99 ms", "requests/s; slow clients", "MB", "", "")
CHANGE_HEADS = ("route", "figure", "before", "after", "after / before", "")
_NAMED, _LONGEST = 5, 40
"""Paths of a mix that are named, and their length."""
_OTHERS = 0.15
"""The share of the machine that others may take before it is said."""


def row(results: Results, one: Contender, base: str, route: str) -> list[str]:
    """The cells of the table; "-" for what cannot be seen from where the load comes."""

    def of(figure: str, form: str, *, ranged: bool = False) -> str:
        found = results.spread(one.key, route, lambda sample: getattr(sample, figure))
        return _spread(found, form, ranged=ranged)

    is_seen = any(sample.cpu_us for sample in results.of(one.key, route))
    failed = results.failed(one.key, route)
    slow = {True: f"{SLOW_CLIENTS} slow: answers", False: f"{SLOW_CLIENTS} slow: stops", None: ""}[
        one.slow_clients
    ]
    return [
        one.name,
        of("whole_us", ",.0f", ranged=True) if is_seen else "-",
        f"{of('p50_ms', '.1f')}, {of('p99_ms', '.1f')}",
        f"{of('rate', ',.0f')}; {slow}".rstrip("; "),
        of("whole_mb", ".0f") if is_seen else "-",
        f"{failed:,}" if failed else "0",
        verdict(results, one, base, route),
    ]


def _spread(found: Spread | None, form: str, *, ranged: bool = False) -> str:
    if found is None:
        return "-"
    middle, low, high = (format(number, form) for number in (found.median, found.low, found.high))
    return f"{middle} ({low} to {high})" if ranged and low != high else middle


def origin(route: Route) -> str:
    """Where a route was found, and what is particular about it."""
    share = f", {route.share:.0%} of the requests" if route.share else ""
    status = f", answers {route.status}" if route.status >= 300 else ""
    return f"from {route.origin}{share}{status}"


def mixed(route: Route) -> str:
    """The paths of a mix with their shares, the most frequent ones by name."""
    whole = sum(part.times for part in route.mix)
    named = [f"{part.times / whole:.0%} {cut(part.path, _LONGEST)}" for part in route.mix[:_NAMED]]
    others = len(route.mix) - len(named)
    return ", ".join([*named, *([f"and {others} others"] if others else [])])


def change_row(one: Change) -> list[str]:
    interval = f"{one.ratio.ratio:.3f} x ({one.ratio.low:.3f} to {one.ratio.high:.3f})"
    return [one.route, one.figure, f"{one.before:,.1f}", f"{one.after:,.1f}", interval, one.word]


def conclusion(changes: Sequence[Change]) -> tuple[bool, str]:
    """Whether something became slower, and the sentence."""
    found = [one for one in changes if one.ratio.is_sure and one.ratio.ratio > 1]
    rounds = changes[0].ratio.rounds
    sure = (
        f"{rounds} rounds, {CONFIDENCE:.0%} for all figures together, differences below {LEAST:.0%} left out"
    )
    if not found:
        return False, f"nothing became slower that could be seen ({sure})"
    worst = max(found, key=lambda one: one.ratio.ratio)
    what = f"{titled(worst.route)} takes {worst.ratio.ratio:.2f} x the {worst.figure} of before"
    return True, f"slower: {what} ({sure})"


def warnings(results: Results) -> Iterator[str]:
    """What is missing, and what makes the figures unsure."""
    yield from (f"left out: {one.name}: {one.missing}" for one in results.contenders if one.missing)
    yield from (f"not measured: {one}" for one in results.problems)
    others = max((one.others for one in results.samples), default=0.0)
    if others > _OTHERS:
        yield f"other programs took up to {others:.0%} of the machine meanwhile: measure again when it is quiet"


def method(results: Results) -> str:
    return (
        f"medians of {results.rounds} rounds of {results.seconds} s, {results.connections} requests at once, by wrk on "
        "the same machine; in brackets the lowest and the highest"
    )
