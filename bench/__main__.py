"""`python -m bench`: install the peers, run them side by side, say what came out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.install import HERE, InstallError, install
from bench.peers import PEERS, Peer
from bench.picture import picture
from bench.report import report
from bench.results import Results, save
from bench.session import Plan, Session
from bench.workloads import WORKLOADS, Workload

Named = TypeVar("Named", Peer, Workload)

_PUBLISHED = HERE / "results.json"
_UNPUBLISHED = HERE / "out" / "results.json"


@click.command()
@click.option("--quick", is_flag=True, help="One round of one second: to see that everything runs.")
@click.option("--peers", "peer_keys", default="", help=f"Comma-separated: {', '.join(p.key for p in PEERS)}.")
@click.option("--workloads", "workload_keys", default="", help=f"Of: {', '.join(w.key for w in WORKLOADS)}.")
@click.option("--rounds", type=click.IntRange(1), help="Default 3.")
@click.option("--seconds", type=click.IntRange(1), help="Length of one measurement. Default 4.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where the results go.")
def main(
    *,
    quick: bool,
    peer_keys: str,
    workload_keys: str,
    rounds: int | None,
    seconds: int | None,
    json_path: Path | None,
) -> None:
    """Measure Portico and its peers on this machine."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    plan = Plan(
        peers=_chosen(PEERS, peer_keys),
        workloads=_chosen(WORKLOADS, workload_keys),
        rounds=rounds or (1 if quick else 3),
        seconds=seconds or (1 if quick else 4),
        warm_up_seconds=1,
    )
    whole = not (quick or peer_keys or workload_keys)
    console = Console()
    results = _measure(plan, Console(stderr=True))
    report(results, console)
    _write(results, json_path or (_PUBLISHED if whole else _UNPUBLISHED), console)


def _chosen(every: Sequence[Named], keys: str) -> list[Named]:
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    known = {each.key: each for each in every}
    if unknown := [key for key in wanted if key not in known]:
        raise click.UsageError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[key] for key in wanted] if wanted else list(every)


def _measure(plan: Plan, console: Console) -> Results:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("installing the peers", total=plan.steps)

        def step(words: str, finished: int) -> None:
            progress.update(task, advance=finished, description=words or None)

        try:
            missing = install(lambda words: step(words, 0))
        except InstallError as error:
            raise click.ClickException(f"the bench cannot run: {error}") from error
        return Session(plan, missing, step).run()


def _write(results: Results, path: Path, console: Console) -> None:
    save(results, path)
    drawn = path.with_suffix(".svg")
    drawn.write_text(picture(results))
    console.print(f"{path}\n{drawn}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()
