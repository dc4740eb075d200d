"""`portico check`: what would break, before it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from portico.check.access import access_findings
from portico.check.conflicts import refused, site_findings
from portico.check.exposed import exposed_findings
from portico.check.limits import limit_findings
from portico.check.machine import machine_findings, ports_of
from portico.check.memory import memory_findings
from portico.check.model import Finding, ok
from portico.check.noted import noted_findings
from portico.check.source import source_findings
from portico.cli import output
from portico.cli.flags import given, site_flags
from portico.errors import DONE, FAILED, PorticoError
from portico.place.owner import as_user
from portico.plan.bindings import BindingTable
from portico.project.gather import Gathered, gather
from portico.project.several import Several
from portico.project.sites import is_several, refuse_config

_MARKS = {"ok": output.good("ok     "), "warning": output.warned("warning"), "fault": output.bad("FAULT  ")}


@click.command("check")
@click.argument("apps", metavar="[APP]...", nargs=-1)
@site_flags
@click.option("--json", "is_json", is_flag=True, help="The findings as JSON.")
def command(apps: tuple[str, ...], config: str | None, is_json: bool, **flags: Any) -> None:
    """Look for what would break: the app, nginx, ports, paths, limits. Exit code 1 when something would.

    Several files or directories, or a directory that holds them, are checked each, and whether they can stand
    beside each other on one gateway.
    """
    if is_several(apps):
        refuse_config(config)
        findings = _of_several(apps, given(flags), is_json=is_json)
    else:
        findings = _findings(gather(apps[0] if apps else None, config, given(flags), looks=True))
        if is_json:
            output.result(output.as_json(findings))
        else:
            output.results([line for finding in findings for line in _lines(finding)])
    if not is_json:
        output.result(_summary(findings))
    sys.exit(FAILED if any(item.level == "fault" for item in findings) else DONE)


def _of_several(apps: tuple[str, ...], flags: dict[str, Any], *, is_json: bool) -> list[Finding]:
    """Shown as they are found: each app is imported, which takes its time."""
    found_by_site: dict[str, list[Finding]] = {}
    bindings = BindingTable()
    several = Several(apps, flags)
    place = several.place()
    sites = several.look(place)
    ours = ports_of(site.runtime for site in sites)
    for wanted in sites:
        found_by_site[wanted.origin] = found = list(site_findings(wanted.plan, wanted.problems, bindings))
        if wanted.plan is not None:
            found += _of_one(wanted.origin, {**flags, "nginx": place.nginx.path}, ours)
        if not is_json:
            output.result(output.strong(f"{wanted.name}  {wanted.origin}"))
            output.results([f"  {line}" for finding in found for line in _lines(finding)])
    if is_json:
        output.result(output.as_json(found_by_site))
    return [finding for found in found_by_site.values() for finding in found]


def _of_one(site: str, flags: dict[str, Any], ours: frozenset[int]) -> list[Finding]:
    flags = {name: value for name, value in flags.items() if name != "name"}  # that of the gateway
    try:
        return _findings(gather(site, None, flags, looks=True), ours)
    except PorticoError as error:
        return [refused(one) for one in error.problems]


def _findings(gathered: Gathered, ours: frozenset[int] = frozenset()) -> list[Finding]:
    if not gathered.site.has_app:
        return list(machine_findings(gathered.site, gathered.place, gathered.plan, ours))
    facts = gathered.site.facts
    routes = f", {len(facts.routes)} routes" if facts.routes else ""
    app = ok("app", f"{facts.app} imports ({facts.kind} {facts.version}{routes})".replace(" )", ")"))
    source = list(source_findings(gathered.site))
    who = as_user(gathered.place.app_user, os.environ)
    return [
        app,
        *machine_findings(gathered.site, gathered.place, gathered.plan, ours),
        *access_findings(gathered.site),
        *memory_findings(gathered.site, gathered.place, gathered.plan, gathered.import_memory),
        *source,
        *_unsaid(exposed_findings(gathered.site, gathered.plan.workers, who), source),
        *limit_findings(gathered.site),
        *noted_findings(gathered.site, gathered.place),
    ]


def _unsaid(found: Iterable[Finding], source: list[Finding]) -> Iterator[Finding]:
    """Without what was found in the source already, where it has its line."""
    said = " ".join(finding.what for finding in source)
    for finding in found:
        is_key, is_job = finding.subject == "SECRET_KEY", finding.subject == "jobs" and "scheduler" in said
        if not (is_job or (is_key and "SECRET_KEY" in said)):
            yield finding


def _lines(finding: Finding) -> list[str]:
    head = (
        f"{_MARKS[finding.level]}  {output.strong(output.safe(finding.subject))}: {output.safe(finding.what)}"
    )
    return [head, *(f"           {line}" for line in output.safe(finding.hint).splitlines())]


def _summary(findings: list[Finding]) -> str:
    faults = sum(item.level == "fault" for item in findings)
    warnings = sum(item.level == "warning" for item in findings)
    if faults:
        return output.bad(f"{faults} would break, {warnings} may hurt")
    return output.good("nothing would break") + (f", {warnings} may hurt" if warnings else "")
