"""`python -m tests.compare_page`: the page docs/compare.md, with the medians of bench/results.json."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.results import Entry, Results, Sample, read

_RESULTS = Path(__file__).parents[1] / "bench/results.json"
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
for that reason. mod_wsgi and Apache were measured [in a run of their own](apache.md#what-it-costs), too.

Passenger, Thruster, Kamal and flask-nginx were not measured, so nothing is said about them here.

Moving from one of these: [nginx and Gunicorn](from-nginx-gunicorn.md), [uWSGI](from-uwsgi.md),
[Apache and mod_wsgi](from-apache.md). Moving away again: [Leave Portico](eject.md).
"""
_GATEWAYS = {
    "nginx": "nginx", "portico": "nginx", "tutorial": "nginx", "caddy": "Caddy", "mod": "Apache", "pyvoy": "Envoy",
}  # fmt: skip
"""By the beginning of a peer's key."""


def page() -> str:
    results = read(_RESULTS)
    head = _HEAD.format(
        rounds=results.rounds,
        seconds=results.seconds,
        connections=results.connections,
        date=results.date[:10],
        cores=results.machine.cores,
        columns=" | ".join(_COLUMNS).lstrip(),
        dashes="---|" * len(_COLUMNS),
    )
    return head + "".join(_rows(results)) + _TAIL


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
