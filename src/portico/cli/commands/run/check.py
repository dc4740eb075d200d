"""`portico check`: finds what would break."""

from __future__ import annotations

import sys
from typing import Any

import click

from portico.check.conflicts import refused, site_findings
from portico.check.findings import findings
from portico.check.machine import ports_of
from portico.check.model import Finding, in_order
from portico.cli import output
from portico.cli.flags import given, site_flags
from portico.cli.gateway import without_options
from portico.cli.mending import mend, refuse_words
from portico.cli.outside import findings_of, refuse_beside_url
from portico.errors import DONE, FAILED, PorticoError
from portico.plan.bindings import BindingTable
from portico.project.gather import gather
from portico.project.several import Several
from portico.project.sites import is_several, refuse_config

_MARKS = {"ok": output.good("ok     "), "warning": output.warned("warning"), "fault": output.bad("FAULT  ")}


@click.command("check")
@click.argument("apps", metavar="[APP]...", nargs=-1)
@site_flags
@click.option("--url", metavar="URL", help="Probe the running site there from outside, whoever serves it.")
@click.option(
    "--yes",
    "is_agreed",
    is_flag=True,
    help="With --fix: no question. With --url: the owner of the site agrees.",
)
@click.option("--json", "is_json", is_flag=True, help="The findings as JSON.")
@click.option(
    "--fix",
    "is_mended",
    is_flag=True,
    help="Offer to mend what is safe, as differences: modes of files, missing lines of portico.toml.",
)
def command(
    apps: tuple[str, ...],
    config: str | None,
    url: str | None,
    is_agreed: bool,
    is_json: bool,
    is_mended: bool,
    **flags: Any,
) -> None:
    """Look for what would break: the app, the gateway, ports, paths, limits. Exit code 1 when something would.

    The worst comes first. Several files or directories, or a directory that holds them, are checked each, and
    whether they can stand beside each other on one gateway.

    With --url: what strangers can do to the running site. It asks about 130 times, one connection at a time.
    """
    refuse_words(url, apps, is_json=is_json, is_mended=is_mended, is_agreed=is_agreed)
    if url is not None:
        refuse_beside_url(apps, config, given(flags))
        found = findings_of(url, is_agreed=is_agreed)
        output.results(
            [output.as_json(found)] if is_json else [line for one in found for line in _lines(one)]
        )
    elif is_several(apps):
        refuse_config(config)
        found = _of_several(apps, given(flags), is_json=is_json)
    else:
        gathered = gather(apps[0] if apps else None, config, given(flags), looks=True)
        found = findings(gathered)
        if is_json:
            output.result(output.as_json(found))
        else:
            output.results([line for finding in found for line in _lines(finding)])
    if not is_json:
        output.result(_summary(found))
    if is_mended:
        mend(found, gathered.site, is_sure=is_agreed)
    sys.exit(FAILED if any(item.level == "fault" for item in found) else DONE)


def _of_several(apps: tuple[str, ...], flags: dict[str, Any], *, is_json: bool) -> list[Finding]:
    """Results are shown as they arrive: the import of each app takes time."""
    found_by_site: dict[str, list[Finding]] = {}
    bindings = BindingTable()
    without_options()
    several = Several(apps, flags)
    place = several.place()
    sites = several.look(place)
    ours = ports_of(site.runtime for site in sites)
    for wanted in sites:
        found = list(site_findings(wanted.plan, wanted.problems, bindings))
        if wanted.plan is not None:
            found += _of_one(wanted.origin, {**flags, place.gateway.program: place.gateway.path}, ours)
        found_by_site[wanted.origin] = found = in_order(found)
        if not is_json:
            output.result(output.strong(f"{wanted.name}  {wanted.origin}"))
            output.results([f"  {line}" for finding in found for line in _lines(finding)])
    if is_json:
        output.result(output.as_json(found_by_site))
    return [finding for found in found_by_site.values() for finding in found]


def _of_one(site: str, flags: dict[str, Any], ours: frozenset[int]) -> list[Finding]:
    flags = {name: value for name, value in flags.items() if name != "name"}  # the gateway's name
    try:
        return findings(gather(site, None, flags, looks=True), ours)
    except PorticoError as error:
        return [refused(one) for one in error.problems]


def _lines(finding: Finding) -> list[str]:
    subject, what = output.safe(finding.subject), output.safe(finding.what)
    # The sentence contains the name of the setting.
    said = what.removeprefix(subject) if what.startswith(f"{subject} ") else f": {what}"
    head = f"{_MARKS[finding.level]}  {output.strong(subject)}{said}"
    return [head, *(f"           {line}" for line in output.safe(finding.hint).splitlines())]


def _summary(findings: list[Finding]) -> str:
    faults = sum(item.level == "fault" for item in findings)
    warnings = sum(item.level == "warning" for item in findings)
    if faults:
        return output.bad(f"{faults} would break, {warnings} may hurt")
    return output.good("nothing would break") + (f", {warnings} may hurt" if warnings else "")
