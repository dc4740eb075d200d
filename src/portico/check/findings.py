"""All that is found of one site, the worst first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from portico.check.access import access_findings
from portico.check.app.cookies import cookie_findings
from portico.check.app.front import front_findings
from portico.check.app.look import looks
from portico.check.app.timeouts import fitting_findings
from portico.check.exposed import exposed_findings
from portico.check.limits import limit_findings
from portico.check.machine import machine_findings
from portico.check.memory import memory_findings
from portico.check.model import Finding, in_order, ok
from portico.check.noted import noted_findings
from portico.check.source import source_findings
from portico.place.owner import as_user
from portico.project.gather import Gathered


def findings(gathered: Gathered, ours: frozenset[int] = frozenset()) -> list[Finding]:
    """`ours` are ports of sites beside this one."""
    of_machine = machine_findings(gathered.site, gathered.place, gathered.plan, ours)
    return in_order([*_of_app(gathered), *of_machine] if gathered.site.has_app else of_machine)


def _of_app(gathered: Gathered) -> Iterator[Finding]:
    site, place, facts = gathered.site, gathered.place, gathered.site.facts
    routes = f", {len(facts.routes)} routes" if facts.routes else ""
    yield ok("app", f"{facts.app} imports ({facts.kind} {facts.version}{routes})".replace(" )", ")"), "app")
    yield from access_findings(site)
    yield from memory_findings(site, place, gathered.plan, gathered.import_memory)
    source = list(source_findings(site))
    yield from source
    answers, why_none = looks(site, as_user(place.app_user, os.environ))
    yield from why_none
    for said in [look.settings for look in answers][:1]:
        yield from front_findings(site, said)
        yield from cookie_findings(site, said)
        yield from fitting_findings(site, place, said)
    yield from _unsaid(exposed_findings(site, gathered.plan.workers, answers), source)
    yield from limit_findings(site)
    yield from noted_findings(site, place)


def _unsaid(found: Iterable[Finding], source: list[Finding]) -> Iterator[Finding]:
    """Without what was found in the source already, where it has its line."""
    said = " ".join(finding.what for finding in source)
    for finding in found:
        is_key, is_job = finding.subject == "SECRET_KEY", finding.subject == "jobs" and "scheduler" in said
        if not (is_job or (is_key and "SECRET_KEY" in said)):
            yield finding
