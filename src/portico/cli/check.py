"""`portico check`: what would break, before it does."""

from __future__ import annotations

import sys
from typing import Any

import click

from portico.check.machine import machine_findings
from portico.check.model import Finding, ok
from portico.check.source import source_findings
from portico.cli import output
from portico.cli.flags import given, site_arguments
from portico.cli.gather import Gathered, gather
from portico.errors import DONE, FAILED

_MARKS = {"ok": output.good("ok     "), "warning": output.warned("warning"), "fault": output.bad("FAULT  ")}


@click.command("check")
@site_arguments
@click.option("--json", "is_json", is_flag=True, help="The findings as JSON.")
def command(app: str | None, config: str | None, is_json: bool, **flags: Any) -> None:
    """Look for what would break: the app, nginx, ports, paths, limits. Exit code 1 when something would."""
    findings = _findings(gather(app, config, given(flags), looks=True))
    if is_json:
        output.result(output.as_json(findings))
    else:
        output.results([line for finding in findings for line in _lines(finding)])
        output.result(_summary(findings))
    sys.exit(FAILED if any(item.level == "fault" for item in findings) else DONE)


def _findings(gathered: Gathered) -> list[Finding]:
    if not gathered.site.has_app:
        return list(machine_findings(gathered.site, gathered.place, gathered.plan))
    facts = gathered.site.facts
    routes = f", {len(facts.routes)} routes" if facts.routes else ""
    app = ok("app", f"{facts.app} imports ({facts.kind} {facts.version}{routes})".replace(" )", ")"))
    return [
        app,
        *machine_findings(gathered.site, gathered.place, gathered.plan),
        *source_findings(gathered.site),
    ]


def _lines(finding: Finding) -> list[str]:
    head = f"{_MARKS[finding.level]}  {output.strong(finding.subject)}: {finding.what}"
    return [head, *(f"           {line}" for line in finding.hint.splitlines())]


def _summary(findings: list[Finding]) -> str:
    faults = sum(item.level == "fault" for item in findings)
    warnings = sum(item.level == "warning" for item in findings)
    if faults:
        return output.bad(f"{faults} would break, {warnings} may hurt")
    return output.good("nothing would break") + (f", {warnings} may hurt" if warnings else "")
