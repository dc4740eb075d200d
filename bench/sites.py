"""`python -m bench.sites`: how long a gateway of many sites takes to plan, to render, and nginx to read.

Target: 1 000 sites are planned and rendered in at most 1.5 s, and twice as many take twice as long. What a site costs
once and not in the gateway's process (its app is imported by its own supervisor) is not in it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from bench.install import HERE
from portico.place.model import Place
from portico.place.probe import probe
from portico.plan.build import plan
from portico.plan.host import fitting, fragment_of, host_plan
from portico.plan.model import Plan
from portico.run.disk.write import write_files
from portico.site.facts import AppFacts, StaticFolder
from portico.site.load import load
from portico.site.model import Site
from portico.site.resolve import resolve

_COUNTS = (1, 10, 100, 1000)
_TARGET_SECONDS = 1.5
_PUBLISHED = HERE / "sites.json"
_TOML = """\
app = "shop:app"
domains = ["site-{number}.example", "www.site-{number}.example"]
listen = "127.0.0.1:8099"
max_upload = "32MiB"
[limits]
rate = "20/second"
"""


@dataclass(frozen=True)
class Row:
    """One gateway. The lowest seconds of the rounds, of CPU but for nginx: what else runs on the machine only adds."""

    sites: int
    load_seconds: float
    plan_seconds: float
    nginx_seconds: float
    lines: int


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), default=_PUBLISHED, help="Where it goes."
)
def main(rounds: int, json_path: Path) -> None:
    """Measure gateways of 1, 10, 100 and 1 000 sites."""
    console = Console(stderr=True)
    with console.status("planning ..."):
        rows = [_row(count, rounds) for count in _COUNTS]
    _report(rows, Console())
    json_path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def _row(count: int, rounds: int) -> Row:
    with _machine() as place:
        loads, plans = list[float](), list[float]()
        for _ in range(rounds):
            began = time.process_time()
            sites = [_site(number, place) for number in range(count)]
            loaded = time.process_time()
            made = _planned(sites, place)
            plans.append(time.process_time() - loaded)
            loads.append(loaded - began)
        lines = sum(file.content.count("\n") for file in made.files)
        return Row(count, min(loads), min(plans), _nginx_seconds(made), lines)


@contextmanager
def _machine() -> Iterator[Place]:
    """This one, with directories of its own."""
    with tempfile.TemporaryDirectory(prefix="pb-") as made:
        place = probe("nginx", "embedded", Path(made), "gateway")
        yield replace(place, runtime=f"{made}/gateway", state=f"{made}/state/gateway")


def _site(number: int, place: Place) -> tuple[Site, Place]:
    """What a gateway reads of one site: its file."""
    directory = Path(place.runtime).parent / f"site-{number}"
    directory.mkdir(exist_ok=True)
    file = directory / "portico.toml"
    file.write_text(_TOML.format(number=number))
    options, causes = load(file, {})
    static = [StaticFolder("/static/", f"{directory}/static", "the app's static folder")]
    facts = AppFacts(app="shop:app", directory=str(directory), kind="flask", static=static)
    site = replace(resolve(options, facts, directory, causes), name=f"site-{number}", origin=str(file))
    own = replace(place, runtime=str(directory), state=str(directory), host_runtime=place.runtime)
    return site, own


def _planned(sites: list[tuple[Site, Place]], place: Place) -> Plan:
    """Everything that is written, as text."""
    fit, refused = fitting([fragment_of(plan(site, own)) for site, own in sites])
    assert not refused
    made = host_plan(fit, place)
    assert sum(len(file.content) for file in made.files)
    return made


def _nginx_seconds(made: Plan) -> float:
    """How long nginx takes to read it all; it opens two log files a site."""
    for directory in made.directories:
        Path(directory.path).mkdir(parents=True, exist_ok=True)
    conf = Path(made.runtime) / "conf"
    conf.mkdir()
    write_files(made.files, conf)
    began = time.perf_counter()
    done = subprocess.run([*made.gateway.at(str(conf)), "-t"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr)
    return time.perf_counter() - began


def _report(rows: list[Row], console: Console) -> None:
    table = Table(title="several sites on one gateway", title_justify="left")
    for name in ("sites", "plan + render s", "ms a site", "read files s", "nginx -t s", "lines"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.sites), f"{row.plan_seconds:.3f}", f"{1000 * row.plan_seconds / row.sites:.2f}",
            f"{row.load_seconds:.3f}", f"{row.nginx_seconds:.2f}", f"{row.lines:,}",
        )  # fmt: skip
    console.print(table)
    last = rows[-1]
    mark = "[bold green]pass[/]" if last.plan_seconds <= _TARGET_SECONDS else "[bold red]FAIL[/]"
    console.print(f"{last.sites} sites: {last.plan_seconds:.2f} s of {_TARGET_SECONDS} s allowed: {mark}")


if __name__ == "__main__":
    main()
