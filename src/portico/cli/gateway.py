"""`portico run` for several sites: one nginx, and one supervisor per site."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from portico.cli import output
from portico.cli.journal import Priority
from portico.cli.notices import priority, sentence
from portico.cli.screen import Screen
from portico.place.model import Place
from portico.plan.host import host_plan
from portico.project.several import Several
from portico.protocol import notices
from portico.run.host.answers import answers
from portico.run.host.hosted import HostedSite
from portico.run.host.sites import Sites
from portico.run.host.state import Status
from portico.run.supervisor.loop import run
from portico.site.variables import forget


def serve_sites(apps: tuple[str, ...], flags: dict[str, Any]) -> int:
    """Serve all sites until a signal ends the run; returns the exit code. Raises PorticoError."""
    without_options()
    several = Several(apps, flags)
    place = several.place()
    sites, screen = Sites(place, lambda: several.look(place), answers), Screen()
    try:
        return run(
            host_plan((), place),
            say=lambda item: _say(item, sites, place, screen),
            replan=sites.replan,
            host=sites,
        )
    finally:
        screen.close()


def without_options() -> None:
    """Removes options of one site from the environment, and says so."""
    if names := forget(os.environ):
        output.say(output.warned(f"not used: {', '.join(names)} of the environment, which {_OF_ONE}"))


_OF_ONE = "would be options of one site; these are several, with a portico.toml each"


def _say(item: notices.Notice, sites: Sites, place: Place, screen: Screen) -> None:
    if isinstance(item, notices.Ready):
        screen.say("\n".join(_banner(sites, place)), priority(item))
    elif isinstance(item, notices.Switched | notices.Reloading | notices.Booting):
        pass  # a site reports a change of its own part itself
    elif text := sentence(item):
        screen.say(text, priority(item) if not isinstance(item, notices.SiteSaid) else Priority.INFO)


def _banner(sites: Sites, place: Place) -> list[str]:
    rows = [
        f"  {output.faint(f'{one.desired.name:>12s}')}  {_row(one, sites.urls(one.desired.name))}"
        for one in sites.hosted_sites.values()
    ]
    well = sum(one.state.status is Status.SERVING for one in sites.hosted_sites.values())
    ready = output.good("ready") if well == len(rows) else output.warned("ready")
    build = place.gateway
    count = f"{well} of {len(rows)} sites serve, on {build.program} {build.number} ({build.origin})"
    if place.gateway_why:
        taken = f"{place.gateway.number} ({place.gateway.origin}) was taken: {place.gateway_why}"
        rows.append(f"  {output.faint(place.gateway.program.rjust(12))}  {taken}")
    if place.gateway_note:
        rows.append(f"  {output.warned('note'.rjust(12))}  {place.gateway_note}")
    return ["", *rows, "", f"  {ready}: {count}; Ctrl-C stops them", ""]


def _row(one: HostedSite, urls: Sequence[str]) -> str:
    where = "  ".join(urls)
    if one.state.status is Status.SERVING:
        return output.strong(where)
    return f"{where}  {output.bad(str(one.state.status))}"
