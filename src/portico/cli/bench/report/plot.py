"""Plots: a table whose rows have a drawn bar beside the figure, so that nobody needs to see the bar. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from portico.cli.bench.report.markup import Html, tag
from portico.measure.statistics import Ratio, spread

_WIDTH, _HEIGHT = 1000, 20
_MARGIN = 3
_LEAST_FACTOR = 1.1


class Series(Struct, frozen=True):
    """The figures of one bar, one a round. `kind` is its class in the style sheet."""

    values: Sequence[float]
    kind: str = "bar"


class Row(Struct, frozen=True):
    name: str
    series: Sequence[Series]


def bars(title: str, unit: str, form: str, rows: Sequence[Row], key: str) -> Html:
    """Each bar is as long as the median of its rounds; a line goes from the lowest to the highest, with a mark for
    each. All begin at zero. Nothing if no row has a figure.
    """
    shown = [row for row in rows if any(one.values for one in row.series)]
    if not shown:
        return Html("")
    most = max(number for row in shown for one in row.series for number in one.values) or 1.0
    axis = tag("div", tag("span", "0"), tag("span", f"{most:{form}} {unit}".rstrip()), class_="axis")
    head = tag(
        "tr", tag("th", "pattern", scope="col"), tag("th", axis, scope="col"), tag("th", key, scope="col")
    )
    body = (
        tag(
            "tr",
            tag("th", row.name, scope="row"),
            tag("td", _drawn(row.series, most), class_="plot"),
            tag("td", "; ".join(_words(one, form) for one in row.series), class_="figure"),
        )
        for row in shown
    )
    return tag("table", tag("caption", title), tag("thead", head), tag("tbody", body), class_="bars")


def _words(one: Series, form: str) -> str:
    found = spread(one.values)
    if found is None:
        return "-"
    middle, low, high = (format(number, form) for number in (found.median, found.low, found.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _drawn(series: Sequence[Series], most: float) -> Html:
    height = _HEIGHT / len(series)
    return _svg(part for index, one in enumerate(series) for part in _bar(one, most, index * height, height))


def _bar(one: Series, most: float, top: float, height: float) -> Iterable[Html]:
    found = spread(one.values)
    if found is None:
        return
    scale = _WIDTH / most
    yield tag(
        "rect", x=0, y=_short(top + _MARGIN), width=_short(found.median * scale),
        height=_short(height - 2 * _MARGIN), class_=one.kind,
    )  # fmt: skip
    middle = _short(top + height / 2)
    yield _line(found.low * scale, middle, found.high * scale, middle, "range")
    for number in one.values:
        at = number * scale
        yield _line(at, _short(top + _MARGIN + 1), at, _short(top + height - _MARGIN - 1), "round")


def interval(ratio: Ratio, factor: float) -> Html:
    """Where the ratio lies, between 1/factor and factor, on a scale where twice and half are as far from 1."""

    def at(value: float) -> float:
        place = math.log(max(value, 1e-9)) / math.log(factor)
        return _WIDTH / 2 * (1 + min(1.0, max(-1.0, place)))

    kind = "same" if not ratio.is_sure else "slower" if ratio.ratio > 1 else "faster"
    middle = _short(_HEIGHT / 2)
    return _svg(
        (
            _line(_WIDTH / 2, "0", _WIDTH / 2, str(_HEIGHT), "one"),
            _line(at(ratio.low), middle, at(ratio.high), middle, f"range {kind}"),
            _line(at(ratio.ratio), "4", at(ratio.ratio), str(_HEIGHT - 4), f"guess {kind}"),
        )
    )


def factor_of(ratios: Sequence[Ratio]) -> float:
    """The end of the scale on which all of them fit."""
    return max([_LEAST_FACTOR, *(side for one in ratios for side in (one.high, 1 / max(one.low, 1e-9)))])


def _line(x1: float, y1: str, x2: float, y2: str, kind: str) -> Html:
    return tag("line", x1=_short(x1), y1=y1, x2=_short(x2), y2=y2, class_=kind)


def _svg(parts: Iterable[Html]) -> Html:
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return tag("svg", parts, viewBox=box, preserveAspectRatio="none", aria_hidden="true")


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
