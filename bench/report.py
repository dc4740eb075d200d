"""The results as tables on a terminal: one a workload, then the targets."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.results import Entry, Results, Sample, Spread
from bench.targets import Verdict, verdicts
from bench.workloads import WORKLOADS, Workload
from portico.measure.cpu import ROLES, Role

_CPU = ("gateway µs", "app µs", "control µs", "whole µs")
_NUMBERS = (*_CPU, "requests/s", "p50 ms", "p99 ms", "memory MB", "failed")
_MARKS = {True: ("pass", "bold green"), False: ("FAIL", "bold red"), None: ("?", "yellow")}


def report(results: Results, console: Console) -> None:
    for workload in WORKLOADS:
        if workload.key in results.workloads:
            console.print(_table(results, workload))
    console.print(_missing(results))
    console.print(_targets(verdicts(results)))
    console.print(_circumstances(results))


def _table(results: Results, workload: Workload) -> Table:
    table = Table(title=_title(results, workload), title_justify="left", caption_justify="left")
    table.add_column("peer", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for entry in _cheapest_first(results, workload):
        is_ours = entry.key in ("portico", "portico-asgi")
        table.add_row(*_row(results, entry, workload.key), style="bold" if is_ours else "")
    return table


def _title(results: Results, workload: Workload) -> str:
    floor = results.floor_spread(workload.key)
    return f"{workload.title}: in-process {_spread(floor, '.0f')} µs a call" if floor else workload.title


def _cheapest_first(results: Results, workload: Workload) -> list[Entry]:
    def cost(entry: Entry) -> float:
        found = results.spread(entry.key, workload.key, lambda sample: sample.whole_us)
        return found.median if found else float("inf")

    return sorted((entry for entry in results.entries if entry.app == workload.app), key=cost)


def _row(results: Results, entry: Entry, workload: str) -> list[str]:
    def cell(of: Callable[[Sample], float], form: str, *, with_range: bool = False) -> str:
        found = results.spread(entry.key, workload, of)
        if not found:
            return "-"
        return _spread(found, form) if with_range else f"{found.median:{form}}"

    if not results.spread(entry.key, workload, lambda sample: sample.rate):
        return [f"{entry.name}: not measured"]
    return [
        entry.name,
        *(_share(results, entry.key, workload, role) for role in ROLES),
        cell(lambda sample: sample.whole_us, ".1f", with_range=True),
        cell(lambda sample: sample.rate, ",.0f", with_range=True),
        cell(lambda sample: sample.p50_ms, ".2f"),
        cell(lambda sample: sample.p99_ms, ".2f"),
        cell(lambda sample: sample.whole_mb, ".0f"),
        _failed(results, entry.key, workload),
    ]


def _share(results: Results, peer: str, workload: str, role: Role) -> str:
    """A dash for a role that no process of the peer has."""
    found = results.spread(peer, workload, lambda sample: sample.cpu_us.get(role, 0.0))
    return f"{found.median:.1f}" if found and found.high else "-"


def _failed(results: Results, peer: str, workload: str) -> str:
    """All rounds together: answers of the wrong status, and connections that broke or timed out."""
    samples = [each for each in results.samples if (each.peer, each.workload) == (peer, workload)]
    statuses, broken = sum(each.unexpected for each in samples), sum(each.socket_errors for each in samples)
    return f"{statuses}" + (f" + {broken} broken" if broken else "")


def _spread(found: Spread, form: str) -> str:
    if found.low == found.high:
        return f"{found.median:{form}}"
    return f"{found.median:{form}} ({found.low:{form}}-{found.high:{form}})"


def _missing(results: Results) -> Text:
    lines = [f"not measured: {each.name}: {each.missing}" for each in results.entries if each.missing]
    lines += [
        f"not measured: {each.peer}, {each.workload}, round {each.round + 1}: {each.reason}"
        for each in results.problems
    ]
    return Text("\n".join(lines), style="yellow")


def _targets(found: list[Verdict]) -> Table:
    table = Table(title="Portico, one-line views: what it must show", title_justify="left")
    table.add_column("target")
    table.add_column("this run", justify="right")
    table.add_column("", justify="center")
    for verdict in found:
        word, style = _MARKS[verdict.passed]
        table.add_row(verdict.target, verdict.figure, Text(word, style=style))
    return table


def _circumstances(results: Results) -> Text:
    machine = results.machine
    said = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return Text(
        f"{results.date}, {machine.cores} cores of {machine.cpu}, {machine.system}; "
        f"{results.rounds} x {results.seconds:g} s, {results.connections} connections, medians (min-max)\n"
        f"{said}",
        style="dim",
    )
