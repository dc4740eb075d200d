"""`portico limits`: shows what the limits refused, or would have refused."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import click
from msgspec import structs

from portico.cli import output
from portico.cli.running import running_runtime_of, runtime_of, state_of
from portico.cli.running import running_site as of_site
from portico.log.asked import Asked
from portico.log.errors.kinds import refusal
from portico.place import untrusted
from portico.plan.paths import bans
from portico.protocol.commands import LIFT, STATUS, LiftBans
from portico.protocol.status import Ban, Status
from portico.run.control import client
from portico.run.disk import lock
from portico.run.watchers.ban_list import MOST_BANNED, Kept
from portico.values import counted
from portico.watch import filter as filters
from portico.watch.history import Log, Logs
from portico.watch.limits_report import LimitReport, LimitsReport, PassesReport, passes, report

_MOST_SHOWN, _MOST_NAMED = 20, 5


@click.command("limits")
@of_site
@click.option(
    "--since", metavar="TIME", help="Only what was refused since then: 15m, 1h, or 2026-11-21T14:00."
)
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
@click.option("--lift", metavar="CLIENT", help="End the ban of an address or an IPv6 network, or of all.")
def command(
    app: str | None, config: str | None, name: str, since: str | None, is_json: bool, lift: str | None
) -> None:
    """Show each limit of a site, how often it refused a request or would have, and which clients met it most.

    Below it shows whom costly routes asked for a pass ([guard] challenge), and the clients that are banned ([guard]
    ban). With a dry run nothing is refused: this shows what would be. The counts are those of the log files.
    """
    if lift is not None:
        _lift(running_runtime_of(app, config, name), lift, is_json=is_json)
        return
    state = Path(state_of(app, config, name))
    runtime = runtime_of(app, config, name)
    status = _asked(runtime) if lock.running(runtime) else None
    limits = status.limits if status else ()
    begin = filters.since(since, time.time()) if since else 0.0
    refusals = Log(Logs.of(state).error, begin).since(refusal)
    found = structs.replace(
        report(refusals, limits, is_dry_run=any(one.is_dry_run for one in limits)),
        bans=_banned(state),
        challenge=passes(Log(Logs.of(state).access, begin).since(Asked.parse)),
        is_ban_dry_run=bool(status and status.bans and status.bans.is_dry_run),
    )
    if is_json:
        output.result(output.as_json(output.safe(found)))
    else:
        output.results(_lines(output.safe(found), is_running=status is not None))


def _lift(runtime: str, client_name: str, *, is_json: bool) -> None:
    (answer,) = client.ask(runtime, LIFT, LiftBans(client_name))
    if is_json:
        output.result(output.as_json(answer))
        return
    names = ", ".join(answer.clients[:_MOST_NAMED])
    more = len(answer.clients) - _MOST_NAMED
    output.result(
        f"lifted: {names}{f' and {more:,} more' if more > 0 else ''}" if names else "it was not banned"
    )


def _asked(runtime: str) -> Status:
    (status,) = client.ask(runtime, STATUS)
    return status


def _banned(state: Path) -> tuple[Ban, ...]:
    """Read from the site's ban list on disk, because the site may not be running."""
    try:
        kept = untrusted.read_json(bans(str(state)), Kept)
    except (OSError, ValueError):
        return ()
    now = time.time()
    return tuple(sorted((one for one in kept.banned if one.until > now), key=lambda one: -one.since))


def _lines(found: LimitsReport, *, is_running: bool) -> list[str]:
    lines = [line for one in found.limits for line in _limit(one)]
    head = ["dry run: nothing is refused but what one client holds"] if found.is_dry_run else []
    if not is_running and not any(one.limit for one in found.limits):
        head = ["the site does not run, so its limits are known by their zones alone"]
    if not found.limits:
        off = "the site has no limits" if is_running else "the site does not run"
        head = [f"{off}, and no limit has refused anybody"]
    return [*head, *lines, *_passes(found.challenge), *_bans(found)]


def _passes(found: PassesReport | None) -> list[str]:
    if found is None:
        return []
    parts = [f"{counted(found.asked, 'request')} asked for a pass"] if found.asked else []
    parts += [f"{counted(found.would_ask, 'request')} would have been asked"] if found.would_ask else []
    last = f", the last at {found.last[:19].replace('T', ' ')}" if found.last else ""
    given = (
        f"; {counted(found.passes, 'pass', 'passes')} given" if not found.would_ask or found.passes else ""
    )
    return [
        output.strong("costly routes") + "  ([guard] challenge)",
        f"  {', '.join(parts) or 'nobody asked'}{last}{given}",
        *(f"    {each.count:>8,}  {each.client}" for each in found.clients),
    ]


def _bans(found: LimitsReport) -> list[str]:
    if not found.bans:
        return []
    what = "would be banned" if found.is_ban_dry_run else "banned"
    more = len(found.bans) - _MOST_SHOWN
    return [
        output.strong(f"{counted(len(found.bans), 'client')} {what}")
        + "  ([guard] ban; end one with --lift)",
        *(_ban(one) for one in found.bans[:_MOST_SHOWN]),
        *([f"    and {more:,} more: --json has all"] if more > 0 else []),
        *(["    the list is full: no more clients are banned"] if len(found.bans) >= MOST_BANNED else []),
    ]


def _ban(one: Ban) -> str:
    again = f", {one.times} times within a day" if one.times > 1 else ""
    since, until = (f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}" for at in (one.since, one.until))
    return f"    {one.client}  since {since}, until {until}, for {counted(one.probes, 'path')} of scanners{again}"


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
