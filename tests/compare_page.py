"""`python -m tests.compare_page`: the page docs/compare.md, with the medians of bench/results.json and apache.json."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from bench.results import Entry, Results, Sample, read

_BENCH = Path(__file__).parents[1] / "bench"
_HEAD = """# Portico beside others

What a request costs with Portico and with what people use instead. Only measured figures are here. Each is the median
of {rounds} rounds of {seconds:g} s with {connections} connections, on {date}, on one machine with {cores} cores; the
load generator ran on the same cores. The app is a Flask app with two processes wherever there are processes to choose.
[The benchmark](../bench/README.md) has the whole method, the configuration of each peer, and how to read such figures.
`make bench` measures again.

CPU is that of all processes together, for one request. In the last two columns the view waits 10 ms: they show how many
requests a peer holds at once, and sync workers hold two.

| {columns} |
|{dashes}
"""
_COLUMNS = (
    "", "in front of the app", "CPU, a line of text", "requests/s", "CPU, a page of 30 kB", "memory",
    "requests/s, waiting view", "p99 of it",
)  # fmt: skip
_TAIL = """
Those without a gateway lack what nginx does: TLS, static files, slow clients, limits, error pages. They may be cheaper
for that reason.

Passenger, Thruster, Kamal and flask-nginx were not measured, so nothing is said about them here.

Moving from one of these: [nginx and Gunicorn](from-nginx-gunicorn.md), [uWSGI](from-uwsgi.md),
[Apache and mod_wsgi](from-apache.md). Moving away again: [Leave Portico](eject.md).
"""
_APACHE = """
## With Apache, with and without Portico

A run of its own, on {date}: medians of {rounds} rounds of {seconds:g} s in alternating order, {connections}
connections, two cores that were busy with other work (load {low:.0f} to {high:.0f}, of which the run itself is a part).
So only CPU is compared, and within each round: in brackets, Portico over Apache as a part of that peer (0.87: 13 %
less CPU), the median of the rounds and their range. Figures in us are not those of the table above.

| {columns} |
|{dashes}
"""
_OURS = "portico-apache"
_WORKLOADS = {
    "text": "a line of text", "json": "10 kB of JSON", "wait": "a view that waits 10 ms", "upload": "1 MB upload",
    "page": "a page of 30 kB", "missing": "404",
}  # fmt: skip
_GATEWAYS = {
    "nginx": "nginx", "portico": "nginx", "tutorial": "nginx", "caddy": "Caddy", "mod": "Apache", "pyvoy": "Envoy",
}  # fmt: skip
"""By the beginning of a peer's key."""


def page() -> str:
    results = read(_BENCH / "results.json")
    head = _HEAD.format(
        rounds=results.rounds,
        seconds=results.seconds,
        connections=results.connections,
        date=results.date[:10],
        cores=results.machine.cores,
        columns=" | ".join(_COLUMNS).lstrip(),
        dashes="---|" * len(_COLUMNS),
    )
    return head + "".join(_rows(results)) + _with_apache(read(_BENCH / "apache.json")) + _TAIL


def _with_apache(results: Results) -> str:
    load = results.machine_load
    assert load
    head = _APACHE.format(
        rounds=results.rounds,
        seconds=results.seconds,
        connections=results.connections,
        date=results.date[:10],
        low=load.low,
        high=load.high,
        columns=" | ".join(("", *_WORKLOADS.values(), "broken connections")).lstrip(),
        dashes="---|" * (len(_WORKLOADS) + 2),
    )
    return head + "".join(_row_of_apache(results, entry) for entry in results.entries)


def _row_of_apache(results: Results, entry: Entry) -> str:
    cells = [_beside_ours(results, entry.key, workload) for workload in _WORKLOADS]
    broken = sum(one.socket_errors for one in results.samples if one.peer == entry.key)
    asked = sum(one.requests for one in results.samples if one.peer == entry.key)
    counted = f"{broken} of {asked:,} requests".replace(",", " ")
    return f"| {entry.name} ({entry.detail}) | {' | '.join(cells)} | {counted} |\n"


def _beside_ours(results: Results, peer: str, workload: str) -> str:
    def by_round(key: str) -> dict[int, float]:
        return {
            one.round: one.whole_us for one in results.samples if (one.peer, one.workload) == (key, workload)
        }

    theirs, ours = by_round(peer), by_round(_OURS)
    middle = f"{median(theirs.values()):,.0f} us".replace(",", " ")
    if peer == _OURS:
        return middle
    ratios = [ours[number] / theirs[number] for number in theirs.keys() & ours.keys()]
    return f"{middle} ({median(ratios):.2f}; {min(ratios):.2f} to {max(ratios):.2f})"


def _rows(results: Results) -> Iterator[str]:
    def cost(entry: Entry) -> float:
        found = results.spread(entry.key, "text", lambda sample: sample.whole_us)
        return found.median if found else float("inf")

    for entry in sorted(results.entries, key=cost):
        cells = [
            _cell(results, entry, "text", lambda sample: sample.whole_us, " us"),
            _cell(results, entry, "text", lambda sample: sample.rate, ""),
            _cell(results, entry, "page", lambda sample: sample.whole_us, " us"),
            _cell(results, entry, "text", lambda sample: sample.whole_mb, " MB"),
            _cell(results, entry, "wait", lambda sample: sample.rate, ""),
            _cell(results, entry, "wait", lambda sample: sample.p99_ms, " ms"),
        ]
        name = f"{entry.name} ({entry.detail})" if entry.detail else entry.name
        gateway = next(
            (title for start, title in _GATEWAYS.items() if entry.key.startswith(start)), "nothing"
        )
        yield f"| {name} | {gateway} | {' | '.join(cells)} |\n"


def _cell(results: Results, entry: Entry, workload: str, of: Callable[[Sample], float], unit: str) -> str:
    found = results.spread(entry.key, workload, of)
    return f"{found.median:,.0f}{unit}".replace(",", " ") if found else "-"


if __name__ == "__main__":
    sys.stdout.write(page())
