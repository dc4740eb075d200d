"""The figures of `portico bench` as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.cli import output
from portico.cli.words import cut
from portico.measure.model import SLOW_CLIENTS, Contender, Results, Route
from portico.measure.statistics import CONFIDENCE, LEAST, Spread
from portico.measure.verdict import Change, bottleneck, verdict

_HEADS = (
    "pattern", "server load", "response time", "concurrency handling", "memory", "failed", "verdict",
)  # fmt: skip
_UNITS = ("", "CPU µs a request", "p50, p99 ms", "requests/s; slow clients", "MB", "", "")
_OTHERS = 0.15
"""The share of the machine that others may take before it is said."""
_LONGEST = 46


def lines(results: Results, base: str, changes: Sequence[Change]) -> Iterator[str]:
    """Everything: a table for each route, what limits each contender, what is missing, and how sure it is. Without a
    base the contenders are before and after.
    """
    for route in results.routes:
        yield from _of_route(results, base, route)
    if changes:
        yield from _changes(changes)
    yield from _notes(results)


def _of_route(results: Results, base: str, route: Route) -> Iterator[str]:
    share = f", {route.share:.0%} of the requests" if route.share else ""
    status = f", answers {route.status}" if route.status >= 300 else ""
    yield output.strong(f"GET {cut(output.safe(route.path), 80)}") + output.faint(
        f"  from {route.origin}{share}{status}"
    )
    there = [one for one in results.contenders if results.of(one.key, route.path)]
    rows = [_row(results, one, base, route.path) for one in there]
    yield from table([_HEADS, _UNITS], rows, bold=[one.key == base for one in there])
    for one in there if base else []:  # before and after share the machine
        yield f"  {one.name}: {bottleneck(results.of(one.key, route.path), results.connections)}"
    yield ""


def table(
    heads: Sequence[Sequence[str]], rows: Sequence[Sequence[str]], bold: Sequence[bool] = ()
) -> Iterator[str]:
    """Columns as wide as their longest cell; the heads are faint."""
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    yield from (output.faint(line(head)) for head in heads)
    for index, row in enumerate(rows):
        yield output.strong(line(row)) if bold and bold[index] else line(row)


def _row(results: Results, one: Contender, base: str, route: str) -> list[str]:
    def of(figure: str, form: str, *, ranged: bool = False) -> str:
        return _spread(
            results.spread(one.key, route, lambda sample: getattr(sample, figure)), form, ranged=ranged
        )

    failed = results.failed(one.key, route)
    slow = {True: f"{SLOW_CLIENTS} slow: answers", False: f"{SLOW_CLIENTS} slow: stops", None: ""}[
        one.slow_clients
    ]
    return [
        one.name,
        of("whole_us", ",.0f", ranged=True),
        f"{of('p50_ms', '.1f')}, {of('p99_ms', '.1f')}",
        f"{of('rate', ',.0f')}; {slow}".rstrip("; "),
        of("whole_mb", ".0f"),
        f"{failed:,}" if failed else "0",
        verdict(results, one, base, route),
    ]


def _spread(found: Spread | None, form: str, *, ranged: bool = False) -> str:
    if found is None:
        return "-"
    middle, low, high = (format(number, form) for number in (found.median, found.low, found.high))
    return f"{middle} ({low} to {high})" if ranged and low != high else middle


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """Before and after, figure by figure."""
    yield output.strong("before and after")
    rows = [
        [
            cut(output.safe(one.route), _LONGEST),
            one.figure,
            f"{one.before:,.1f}",
            f"{one.after:,.1f}",
            f"{one.ratio.ratio:.3f} x ({one.ratio.low:.3f} to {one.ratio.high:.3f})",
            one.word,
        ]
        for one in changes
    ]
    colours = {"slower": output.bad, "faster": output.good}
    made = list(table([("route", "figure", "before", "after", "after / before", "")], rows))
    yield made[0]
    for one, text in zip(changes, made[1:], strict=True):
        yield colours.get(one.word, str)(text)
    yield ""
    found = [one for one in changes if one.ratio.is_sure and one.ratio.ratio > 1]
    rounds = changes[0].ratio.rounds
    sure = (
        f"{rounds} rounds, {CONFIDENCE:.0%} for all figures together, differences below {LEAST:.0%} left out"
    )
    if found:
        worst = max(found, key=lambda one: one.ratio.ratio)
        what = (
            f"slower: GET {worst.route} takes {worst.ratio.ratio:.2f} x the {worst.figure} of before ({sure})"
        )
        yield output.bad(output.safe(what))
    else:
        yield f"nothing became slower that could be seen ({sure})"
    yield ""


def _notes(results: Results) -> Iterator[str]:
    for one in results.contenders:
        if one.missing:
            yield output.warned(f"left out: {one.name}: {output.safe(one.missing)}")
    yield from (output.warned(f"not measured: {output.safe(one)}") for one in results.problems)
    others = max((one.others for one in results.samples), default=0.0)
    if others > _OTHERS:
        what = (
            f"other programs took up to {others:.0%} of the machine meanwhile: measure again when it is quiet"
        )
        yield output.warned(what)
    yield output.faint(
        f"medians of {results.rounds} rounds of {results.seconds} s, {results.connections} requests at once, by wrk on "
        "the same machine; in brackets the lowest and the highest"
    )
    yield output.faint(results.machine)
