"""An overview of several sites: those of a gateway, or all on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import UNSET, structs

from portico.cli import output, watchers
from portico.cli.words import lasting
from portico.errors import PorticoError
from portico.place.probe import runtime_directories
from portico.protocol.commands import STATUS
from portico.protocol.status import SiteRow, Status
from portico.run.control import client
from portico.run.disk import lock
from portico.values import counted


def everything() -> list[SiteRow]:
    """Each of our sites that runs, or that one of our gateways is to run."""
    found: dict[str, SiteRow] = {}
    for directory in map(str, runtime_directories()):
        running = lock.running(directory)
        if running is None:
            continue
        if running.stage:
            found[directory] = _starting(running, directory)
            continue
        try:
            (status,) = client.ask(directory, STATUS)
        except (PorticoError, ValueError):
            if client.is_stopped(directory):
                found[directory] = _silent(directory)
            continue  # otherwise it is starting or stopping now
        for site in status.sites or [_alone(status, directory)]:
            key = site.runtime or site.origin or ""
            found[key] = _with(site, found[key]) if key in found else site
    return list(found.values())


def _with(site: SiteRow, more: SiteRow) -> SiteRow:
    """A site that is also known to its gateway: the site's own status is newer."""
    known = {name: value for name, value in structs.asdict(more).items() if value is not UNSET}
    return structs.replace(site, **known)


def _starting(running: lock.Running, directory: str) -> SiteRow:
    """A site that cannot answer questions yet."""
    return SiteRow(
        name=running.app,
        status="starting",
        urls=tuple(running.urls),
        runtime=directory,
        pid=running.pid,
        since_seconds=round(time.time() - running.since, 3),
        reason=running.stage,
    )


def _silent(directory: str) -> SiteRow:
    """A site whose Portico was stopped by a signal."""
    running = lock.running(directory)
    return SiteRow(
        name=Path(directory).name.rpartition("-")[0],
        status="stopped by a signal",
        urls=tuple(running.urls) if running else (),
        runtime=directory,
        pid=running.pid if running else None,
        since_seconds=time.time() - running.since if running else 0.0,
        reason="continue it: kill -CONT, see portico status",
    )


def _alone(status: Status, directory: str) -> SiteRow:
    """A site's own answer, in the format of a gateway's list."""
    return SiteRow(
        name=status.name,
        status=status.phase,
        urls=status.urls,
        runtime=directory,
        pid=status.pid,
        since_seconds=status.up_seconds,
        requests=status.requests,
    )


def lines(status: Status) -> list[str]:
    """The gateway and each of its sites."""
    gateway, sites = status.gateway, status.sites or ()
    pid = f", pid {gateway.pid}" if gateway.pid else ""
    return [
        f"{output.strong(status.name)}  {counted(len(sites), 'site')}",
        f"  portico    {status.phase}, pid {status.pid}, for {lasting(status.up_seconds)}",
        f"  {gateway.name:<10} {gateway.status}{pid}, for {lasting(gateway.since_seconds)}",
        *watchers.rows(status.watchers),
        "",
        *rows(sites),
        "",
        "portico status --site NAME shows more of one",
    ]


def rows(sites: Sequence[SiteRow]) -> list[str]:
    """One line per site, with the reason if it does not serve."""
    width = max((len(site.name) for site in sites), default=0)
    return [line for site in sites for line in _row(site, width)]


def _row(site: SiteRow, width: int) -> list[str]:
    word = output.good(site.status) if site.status == "serving" else output.bad(site.status)
    retry = site.retry_seconds
    again = f"; tried again in {retry:.0f} s" if isinstance(retry, float) else ""
    head = f"  {output.strong(site.name.ljust(width))}  {word} for {lasting(site.since_seconds)}{again}"
    reason = site.reason or ""
    return [f"{head}  {'  '.join(site.urls)}", *(f"      {line}" for line in reason.splitlines())]
