"""The page: everything that the terminal says, with plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from portico.cli.bench.figures import (
    CHANGE_HEADS,
    HEADS,
    UNITS,
    change_row,
    conclusion,
    method,
    origin,
    row,
    warnings,
)
from portico.cli.bench.report.markup import Html, joined, tag
from portico.cli.bench.report.plot import Row, Series, bars, factor_of, interval
from portico.measure.model import Contender, Results, Route, Sample, by_round
from portico.measure.verdict import Change, bottleneck

BEGIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="portico bench">
"""
"""How every report begins, and no other file."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = Path(__file__).with_name("report.css")
_COLUMNS = (
    ("server load", "CPU time of all processes of that server, the app's included, divided by the requests"),
    ("response time", "half of the requests, and 99 of 100, took at most this, while all connections wait at once"),
    ("concurrency handling", "requests answered in a second; whether others are answered while slow clients send"),
    ("memory", "what all its processes take, shared memory divided (PSS)"),
    ("failed", "answers of 400 and more, broken and timed-out connections"),
    ("bars", "the median of the rounds; the line goes from the lowest round to the highest, with a mark for each"),
)  # fmt: skip


class Report(Struct, frozen=True):
    """Without a base the contenders are before and after. `mask` hides the secrets of URLs: a report is passed on."""

    results: Results
    base: str
    changes: Sequence[Change]
    command: str
    versions: str
    mask: Callable[[str], str]

    @property
    def title(self) -> str:
        return f"{self.mask(self.results.app)} {'before and after' if self.changes else 'under load'}"


def page(report: Report) -> str:
    """The whole file."""
    results, mask = report.results, report.mask
    parts = [
        _head(report),
        *([_changes(report)] if report.changes else []),
        *(_of_route(report, route) for route in results.routes),
        _legend(),
    ]
    head = joined(
        [
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{mask(results.app)}: portico bench"),
            tag("style", Html(_STYLE.read_text("utf-8"))),
        ]
    )
    return f"{BEGIN}{head}\n</head>\n{tag('body', tag('main', parts))}\n</html>\n"


def _head(report: Report) -> Html:
    results, mask = report.results, report.mask
    facts = {
        "command": tag("code", report.command),
        "date": results.date,
        "machine": results.machine,
        "versions": report.versions,
        "method": method(results),
    }
    shown = ((tag("dt", name), tag("dd", value)) for name, value in facts.items() if value)
    notes = [tag("p", mask(one), class_="warn") for one in warnings(results)]
    return tag("header", tag("h1", report.title), tag("dl", (part for pair in shown for part in pair)), notes)


def _changes(report: Report) -> Html:
    is_slower, text = conclusion(report.changes)
    factor = factor_of([one.ratio for one in report.changes])
    axis = (tag("span", f"{number:.2f} x") for number in (1 / factor, 1.0, factor))
    heads = [*(tag("th", one or "result", scope="col") for one in CHANGE_HEADS)]
    heads.append(tag("th", tag("div", axis, class_="axis"), scope="col"))
    rows = (_change(one, factor, report.mask) for one in report.changes)
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows))
    said = tag("p", report.mask(text), class_="bad" if is_slower else None)
    return tag("section", tag("h2", "before and after"), said, _scrolling(table, "before and after"))


def _change(one: Change, factor: float, mask: Callable[[str], str]) -> Html:
    route, *others = change_row(one)
    kind = {"slower": "bad", "faster": "good"}.get(one.word)
    cells = (tag("td", cell, class_=kind if cell == one.word else None) for cell in others)
    drawn = tag("td", interval(one.ratio, factor), class_="plot")
    return tag("tr", tag("th", mask(route), scope="row"), cells, drawn)


def _of_route(report: Report, route: Route) -> Html:
    results, title = report.results, report.mask(route.title)
    there = [one for one in results.contenders if results.of(one.key, route.path)]
    if not there:
        return tag("section", tag("h2", title), tag("p", "nothing was measured", class_="warn"))
    return tag(
        "section",
        tag("h2", title, " ", tag("small", origin(route))),
        _mix(report, route) if route.mix else "",
        _scrolling(_table(report, there, route), f"the figures of {title}"),
        _limits(results, there, route) if report.base else "",  # before and after share the machine
        _plots(report, there, route),
    )


def _mix(report: Report, route: Route) -> Html:
    whole = sum(part.times for part in route.mix)
    parts = (tag("li", f"{part.times / whole:.0%} {report.mask(part.path)}") for part in route.mix)
    return tag("details", tag("summary", f"{len(route.mix)} paths"), tag("ul", parts))


def _table(report: Report, there: Sequence[Contender], route: Route) -> Html:
    def line(one: Contender) -> Html:
        name, *figures = row(report.results, one, report.base, route.path)
        first = tag("th", name, scope="row", title=one.detail or None)
        kind = "base" if one.key == report.base else None
        return tag("tr", first, (tag("td", figure) for figure in figures), class_=kind)

    heads = [
        tag("th", head, tag("small", unit), scope="col")
        for head, unit in zip(HEADS, UNITS, strict=True)
        if report.base or head != "verdict"
    ]
    if not report.base:
        heads.append(tag("th", "note", scope="col"))
    return tag("table", tag("thead", tag("tr", heads)), tag("tbody", map(line, there)))


def _limits(results: Results, there: Sequence[Contender], route: Route) -> Html:
    found = ((one, bottleneck(results.of(one.key, route.path), results.connections)) for one in there)
    said = [(tag("dt", one.name), tag("dd", what)) for one, what in found if what]
    return joined([tag("h3", "What limits each"), tag("dl", (part for pair in said for part in pair))])


def _plots(report: Report, there: Sequence[Contender], route: Route) -> Html:
    results = report.results

    def rows(*figures: tuple[Callable[[Sample], float], str]) -> Iterator[Row]:
        for one in there:
            samples = results.of(one.key, route.path)
            made = [
                Series(
                    by_round(samples, figure), "base" if kind == "bar" and one.key == report.base else kind
                )
                for figure, kind in figures
            ]
            yield Row(one.name, made)

    key = "median (lowest to highest)"
    times = rows((lambda one: one.p50_ms, "bar"), (lambda one: one.p99_ms, "late"))
    plots = [bars("Response time, p50 above p99", "ms", ",.1f", list(times), f"p50; p99, {key}")]
    plots.append(bars("Requests a second", "", ",.0f", list(rows((lambda one: one.rate, "bar"))), key))
    if any(sample.cpu_us for sample in results.samples):
        load = list(rows((lambda one: one.whole_us, "bar")))
        plots.insert(0, bars("CPU time of a request", "µs", ",.0f", load, key))
        plots.append(bars("Memory", "MB", ",.0f", list(rows((lambda one: one.whole_mb, "bar"))), key))
    return joined(plots)


def _scrolling(table: Html, label: str) -> Html:
    """A keyboard can move it, where it is wider than the window."""
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def _legend() -> Html:
    words = (part for name, what in _COLUMNS for part in (tag("dt", name), tag("dd", what)))
    return tag("section", tag("h2", "What the words mean"), tag("dl", words))
