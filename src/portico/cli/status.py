"""`portico status`: what runs, and since when."""

from __future__ import annotations

from typing import Any

import click

from portico.cli import output
from portico.cli.running import running_site, runtime_of
from portico.run import client


@click.command("status")
@running_site
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
def command(app: str | None, config: str | None, name: str, is_json: bool) -> None:
    """Show what runs for the site of APP or of the current directory."""
    (status,) = client.ask(runtime_of(app, config, name), "GET", "/status")
    if is_json:
        output.result(output.as_json(status))
    else:
        output.results(_lines(status))


def _lines(status: dict[str, Any]) -> list[str]:
    head = f"{output.strong(status['name'])}  {status['app']} at {'  '.join(status['urls'])}"
    lines = [
        head,
        f"  portico    {status['phase']}, pid {status['pid']}, for {lasting(status['up_seconds'])}",
    ]
    lines.append(f"  nginx      {_life(status['nginx'])}")
    for generation in status["generations"]:
        live = ", live" if generation["number"] == status["live"] else ""
        lines.append(f"  release {generation['number']:<2d} {_life(generation)}{live}")
    return [*lines, f"  files      {status['files']}", f"  log        {status['access_log']}"]


def _life(life: dict[str, Any]) -> str:
    pid = f", pid {life['pid']}" if life["pid"] else ""
    crashes = f", {life['crashes']} crashes in a row" if life["crashes"] else ""
    return f"{life['status']}{pid}, for {lasting(life['since_seconds'])}{crashes}"


def lasting(seconds: float) -> str:
    """A length of time as people say it: 12 s, 3 min, 5 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
