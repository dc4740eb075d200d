"""`python -m tests.faults`: the fault matrix in its long form, as a table."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from tests.faults.matrix import EVERY, PAIRS, Fault
from tests.faults.outcome import Outcome
from tests.faults.table import as_json, line, show


@click.command()
@click.option(
    "--only",
    default="",
    help=f"Comma-separated: {', '.join(fault.key for fault in EVERY)}, or pairs as disk+portico.",
)
@click.option("--short", is_flag=True, help="With the amounts of the ordinary test run.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write the outcomes there; - is stdout."
)
def main(*, only: str, short: bool, json_path: Path | None) -> None:
    """Hurt a running site in every way, and count what clients that never retry lose."""
    outcomes = [_tried(fault, fault.short if short else fault.long) for fault in _chosen(only)]
    if json_path == Path("-"):
        click.echo(as_json(outcomes))
    else:
        show(outcomes, Console())
        if json_path:
            json_path.write_text(as_json(outcomes) + "\n")
    sys.exit(any(outcome.broken for outcome in outcomes))


def _chosen(keys: str) -> list[Fault]:
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    known = {fault.key: fault for fault in EVERY + PAIRS}
    if unknown := [key for key in wanted if key not in known]:
        raise click.UsageError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[key] for key in wanted] if wanted else [*EVERY, *PAIRS]


def _tried(fault: Fault, amount: float) -> Outcome:
    click.echo(f"{fault.key} ...", err=True)
    outcome = fault.run(amount)
    click.echo(line(outcome), err=True)
    return outcome


if __name__ == "__main__":
    main()
