"""Outcomes as lines, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.faults.outcome import Outcome

MOST_BROKEN = 5


def line(outcome: Outcome) -> str:
    """The outcome in words, with what was broken below it."""
    counted = f"{outcome.requests} requests, {outcome.failed} failed (allowed: {outcome.allowed})"
    parts = [counted if outcome.requests else f"allowed: {outcome.allowed}"]
    parts += [f"back after {_seconds(outcome)}"] if outcome.back_seconds is not None else []
    return "\n  ".join([f"{outcome.fault}: " + "; ".join([*parts, *outcome.remarks]), *_broken(outcome)])


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table(title="What happened to clients that never retry", title_justify="left", show_lines=True)
    for name in ("fault", "requests that may fail", "made", "failed", "back after", "", "besides"):
        table.add_column(name, justify="right" if name in ("made", "failed", "back after") else "left")
    for outcome in outcomes:
        counts = (f"{outcome.requests:,}", str(outcome.failed)) if outcome.requests else ("-", "-")
        mark = Text("FAIL", style="bold red") if outcome.broken else Text("pass", style="bold green")
        table.add_row(
            outcome.fault, outcome.allowed, *counts, _seconds(outcome), mark, "; ".join(outcome.remarks)
        )
    console.print(table)
    for outcome in outcomes:
        if outcome.broken:
            console.print(line(outcome), style="red", markup=False)


def as_json(outcomes: Sequence[Outcome]) -> str:
    return json.dumps([asdict(outcome) for outcome in outcomes], indent=2)


def _seconds(outcome: Outcome) -> str:
    return "" if outcome.back_seconds is None else f"{outcome.back_seconds:.2f} s"


def _broken(outcome: Outcome) -> list[str]:
    more = len(outcome.broken) - MOST_BROKEN
    return [*outcome.broken[:MOST_BROKEN], *([f"and {more} more"] if more > 0 else [])]
