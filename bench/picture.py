"""The picture in the README: an SVG, drawn by hand so that it follows the reader's light or dark theme.

`python -m bench.picture results.json picture.svg` draws saved results again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from bench.results import Entry, Results, Sample, read
from portico.measure.cpu import Role

_WORKLOAD = "text"
_WIDTH = 960
_TOP = 112  # title, legend and column heads
_ROW = 36
_BAR = 16
_BAR_LEFT, _BAR_RIGHT = 262, 640
_COLUMNS = (("requests/s", 760), ("p99 ms", 840), ("memory MB", 936))
_BOTTOM = 62
_LEGEND = (("app", "app server and Flask"), ("gateway", "gateway"), ("control", "Portico itself"))

# Portico in one hue, everybody else in greys, so that one look finds it; each passes 3:1 on its background.
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; } .small { font-size: 11px; fill: #59636e; }
.ours { font-weight: 700; } .end { text-anchor: end; } .middle { text-anchor: middle; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.floor { stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 4 3; }
.app { fill: #6e7781; } .gateway { fill: #b4bcc5; } .control { fill: #dfe3e8; }
.ours-app { fill: #116d42; } .ours-gateway { fill: #5cb88a; } .ours-control { fill: #b5e2c9; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9198a1; } .card { fill: #0d1117; stroke: #3d444d; }
  .floor { stroke: #ffa657; } .app { fill: #8d96a0; } .gateway { fill: #565e68; } .control { fill: #3a4149; }
  .ours-app { fill: #3fcf85; } .ours-gateway { fill: #23805a; } .ours-control { fill: #1b5440; }
}
"""


@dataclass(frozen=True)
class _Row:
    name: str
    detail: str
    ours: bool
    cpu_us: dict[Role, float]
    cells: tuple[str, ...]

    @property
    def whole_us(self) -> float:
        return sum(self.cpu_us.values())


def picture(results: Results) -> str:
    """CPU a request of every measured peer under the one-line view, the cheapest first."""
    found = [row for entry in results.entries if (row := _row(results, entry))]
    rows = sorted(found, key=lambda row: row.whole_us)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    floor = results.floor_spread(_WORKLOAD)
    scale = (_BAR_RIGHT - _BAR_LEFT) / max((row.whole_us for row in rows), default=1.0)
    body = [
        _element("style", _STYLE),
        _element("rect", x=0.5, y=0.5, width=_WIDTH - 1, height=height - 1, rx=8, class_="card"),
        *_head(),
        *(part for number, row in enumerate(rows) for part in _bar(row, _TOP + _ROW * number, scale)),
        *(_floor(floor.median, scale, len(rows)) if floor and rows else []),
        _text(20, height - 32, _missing(results), "small"),
        _text(20, height - 16, _circumstances(results), "small"),
    ]
    return _element(
        "svg",
        "\n".join(body),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        aria_label=_in_words(rows),
    )


def _row(results: Results, entry: Entry) -> _Row | None:
    def middle(of: str) -> float:
        found = results.spread(entry.key, _WORKLOAD, lambda sample: float(getattr(sample, of)))
        return found.median if found else 0.0

    roles: tuple[Role, ...] = ("app", "gateway", "control")
    cpu_us = {role: share for role in roles if (share := _share(results, entry, role))}
    if not cpu_us:
        return None
    cells = (f"{middle('rate'):,.0f}", f"{middle('p99_ms'):.1f}", f"{middle('whole_mb'):.0f}")
    return _Row(entry.name, entry.detail, entry.key.startswith("portico"), cpu_us, cells)


def _share(results: Results, entry: Entry, role: Role) -> float:
    def microseconds(sample: Sample) -> float:
        return sample.cpu_us.get(role, 0.0)

    found = results.spread(entry.key, _WORKLOAD, microseconds)
    return found.median if found else 0.0


def _head() -> list[str]:
    parts = [_text(20, 34, "CPU time of one request, one-line Flask view, 64 connections", "title")]
    x = 20
    for role, words in _LEGEND:
        parts.append(_rect(x, 53, 11, 11, f"ours-{role}"))
        if role != "control":
            parts.append(_rect(x + 14, 53, 11, 11, role))
        parts.append(_text(x + (30 if role != "control" else 17), 63, words, "small"))
        x += 52 + round(5.6 * len(words))
    parts.append(_text(_BAR_LEFT, 100, "microseconds, whole process tree", "small"))
    parts += [_text(right, 100, name, "small end") for name, right in _COLUMNS]
    return parts


def _bar(row: _Row, top: int, scale: float) -> list[str]:
    weight = "ours" if row.ours else ""
    parts = [_text(20, top + 14, row.name, weight), _text(20, top + 27, row.detail, "small")]
    x = float(_BAR_LEFT)
    for role, share in row.cpu_us.items():
        width = share * scale
        parts.append(_rect(round(x, 1), top + 5, round(width, 1), _BAR, f"ours-{role}" if row.ours else role))
        x += width
    parts.append(_text(round(x + 6), top + 18, f"{row.whole_us:.0f}", weight))
    cells = zip(row.cells, _COLUMNS, strict=True)
    return parts + [_text(right, top + 18, cell, f"{weight} end") for cell, (_, right) in cells]


def _floor(microseconds: float, scale: float, rows: int) -> list[str]:
    x = round(_BAR_LEFT + microseconds * scale, 1)
    bottom = _TOP + _ROW * rows
    return [
        _element("line", x1=x, x2=x, y1=_TOP - 4, y2=bottom, class_="floor"),
        _text(x, bottom + 14, f"the view alone, called in-process: {microseconds:.0f}", "small middle"),
    ]


def _missing(results: Results) -> str:
    names = [entry.name for entry in results.entries if entry.missing]
    return f"not measured: {', '.join(names)}" if names else ""


def _circumstances(results: Results) -> str:
    names = ("python", "flask", "gunicorn", "nginx", "granian", "pyuwsgi")
    versions = ", ".join(f"{name} {results.versions[name]}" for name in names if name in results.versions)
    cores = f"{results.machine.cores} cores, wrk on the same machine"
    load = results.machine_load
    busy = f"; machine busy, load {load.low:.0f} to {load.high:.0f}" if load else ""
    return (
        f"{results.date[:10]}; {cores}{busy}; medians of {results.rounds} x {results.seconds:g} s; {versions}"
    )


def _in_words(rows: list[_Row]) -> str:
    return "CPU microseconds a request: " + ", ".join(f"{row.name} {row.whole_us:.0f}" for row in rows)


def _rect(x: float, y: float, width: float, height: float, css: str) -> str:
    return _element("rect", x=x, y=y, width=width, height=height, class_=css)


def _text(x: float, y: float, words: str, css: str = "") -> str:
    return _element("text", escape(words), x=x, y=y, class_=css.strip())


def _element(name: str, inside: str = "", **attributes: str | float) -> str:
    """`class_` is class and `aria_label` is aria-label: the names XML has and Python has not."""
    words = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value != ""}
    written = "".join(f" {key}={quoteattr(str(value))}" for key, value in words.items())
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _main() -> None:
    source, target = map(Path, sys.argv[1:3])
    target.write_text(picture(read(source)))


if __name__ == "__main__":
    _main()
