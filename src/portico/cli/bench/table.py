"""The figures of `portico bench` as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.cli import output
from portico.cli.bench.figures import (
    CHANGE_HEADS,
    HEADS,
    UNITS,
    change_row,
    conclusion,
    method,
    mixed,
    origin,
    row,
    warnings,
)
from portico.cli.words import cut
from portico.measure.model import Results, Route
from portico.measure.verdict import Change, bottleneck

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
    yield output.strong(cut(output.safe(route.title), 84)) + output.faint(f"  {origin(route)}")
    if route.mix:
        yield output.faint(f"  {output.safe(mixed(route))}")
    there = [one for one in results.contenders if results.of(one.key, route.path)]
    rows = [row(results, one, base, route.path) for one in there]
    yield from table([HEADS, UNITS], rows, bold=[one.key == base for one in there])
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
    for index, cells in enumerate(rows):
        yield output.strong(line(cells)) if bold and bold[index] else line(cells)


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """Before and after, figure by figure."""
    yield output.strong("before and after")
    rows = [[cut(output.safe(one.route), _LONGEST), *change_row(one)[1:]] for one in changes]
    colours = {"slower": output.bad, "faster": output.good}
    made = list(table([CHANGE_HEADS], rows))
    yield made[0]
    for one, text in zip(changes, made[1:], strict=True):
        yield colours.get(one.word, str)(text)
    yield ""
    is_slower, text = conclusion(changes)
    yield output.bad(output.safe(text)) if is_slower else text
    yield ""


def _notes(results: Results) -> Iterator[str]:
    yield from (output.warned(output.safe(one)) for one in warnings(results))
    yield output.faint(method(results))
    yield output.faint(results.machine)
