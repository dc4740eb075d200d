"""`portico limits`: what the limits refused, or would have refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from portico.cli import output
from portico.cli.running import running_site as of_site
from portico.cli.running import runtime_of, state_of
from portico.log.refusal import Refusal
from portico.protocol.commands import STATUS
from portico.protocol.status import LimitInForce
from portico.run.control import client
from portico.run.disk import lock
from portico.values import counted
from portico.watch import filter as filters
from portico.watch.history import Log, Logs
from portico.watch.limits_report import LimitReport, LimitsReport, report


@click.command("limits")
@of_site
@click.option(
    "--since", metavar="TIME", help="Only what was refused since then: 15m, 1h, or 2026-11-21T14:00."
)
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
def command(app: str | None, config: str | None, name: str, since: str | None, is_json: bool) -> None:
    """Show each limit of a site, how often it refused a request or would have, and which clients met it most.

    With [limits] dry_run nothing is refused: this shows what would be. The counts are those of the log files.
    """
    state = Path(state_of(app, config, name))
    runtime = runtime_of(app, config, name)
    limits = _in_force(runtime) if lock.running(runtime) else ()
    begin = filters.since(since, time.time()) if since else 0.0
    refusals = Log(Logs.of(state).error, begin).since(Refusal.parse)
    found = report(refusals, limits, is_dry_run=any(one.is_dry_run for one in limits))
    if is_json:
        output.result(output.as_json(output.safe(found)))
    else:
        output.results(_lines(output.safe(found)))


def _in_force(runtime: str) -> Sequence[LimitInForce]:
    (status,) = client.ask(runtime, STATUS)
    return status.limits


def _lines(found: LimitsReport) -> list[str]:
    if not found.limits:
        return ["the site does not run, and no limit has refused anybody"]
    head = ["dry run: nothing is refused but what one client holds"] if found.is_dry_run else []
    if not any(one.limit for one in found.limits):
        head = ["the site does not run, so its limits are known by their zones alone"]
    return [*head, *(line for one in found.limits for line in _limit(one))]


def _limit(one: LimitReport) -> list[str]:
    what = f"{one.limit} per {one.per}, {one.of}" if one.limit else "a limit of before"
    head = f"{output.strong(what)}  (zone {one.zone}{f'; {one.cause}' if one.cause else ''})"
    clients = [f"    {each.count:>8,}  {each.client}" for each in one.clients]
    return [head, f"  {_judged(one)}", *clients]


def _judged(one: LimitReport) -> str:
    parts = [f"{counted(one.refused, 'request')} refused"] if one.refused else []
    parts += [f"{counted(one.would_refuse, 'request')} would have been refused"] if one.would_refuse else []
    if not parts:
        return "nothing refused"
    return f"{', '.join(parts)}, the last at {(one.last or '')[:19].replace('T', ' ')}"
