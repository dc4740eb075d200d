"""All findings about one site, the worst first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

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
from portico.check.order import order_findings
from portico.check.source import source_findings
from portico.check.system.around import Around, around
from portico.check.system.kernel import disk_findings, kernel_findings
from portico.check.system.managers import manager_findings
from portico.check.system.modes import mode_findings
from portico.check.system.names import name_findings
from portico.place.owner import as_user
from portico.project.gathered import Gathered
from portico.site.facts import AppFacts, AppSettings
from portico.site.variables import without


def findings(
    gathered: Gathered, ours: frozenset[int] = frozenset(), surroundings: Around | None = None
) -> list[Finding]:
    """`ours` are ports of sites beside this one. Without `surroundings`, this machine is looked at."""
    site, place = gathered.site, gathered.place
    who = as_user(place.app_user, without(os.environ), site.environment.values)
    answers, why_none = looks(site, place, who) if site.has_app else ((), ())
    said = answers[0].settings if answers else AppSettings()
    return in_order([
        *(_of_app(gathered, answers, said) if site.has_app else ()),
        *why_none,
        *machine_findings(site, place, gathered.plan, ours),
        *order_findings(site),
        *_around(gathered, said, surroundings or around()),
    ])  # fmt: skip


def _of_app(gathered: Gathered, answers: Sequence[AppFacts], said: AppSettings) -> Iterator[Finding]:
    site, place, facts = gathered.site, gathered.place, gathered.site.facts
    routes = f", {len(facts.routes)} routes" if facts.routes else ""
    other = f", with {place.app_python} ({place.app_python_why})" if place.app_python else ""
    yield ok(
        "app", f"{facts.app} imports ({facts.kind} {facts.version}{routes})".replace(" )", ")") + other, "app"
    )
    yield from access_findings(site)
    yield from memory_findings(site, place, gathered.plan, gathered.import_memory)
    yield from front_findings(site, said)
    yield from cookie_findings(site, said)
    yield from fitting_findings(site, place, said)
    source = list(source_findings(site))
    yield from source
    yield from _unsaid(exposed_findings(site, gathered.plan.workers, answers), source)
    yield from limit_findings(site)
    yield from noted_findings(site, place)


def _around(gathered: Gathered, said: AppSettings, found: Around) -> Iterator[Finding]:
    site, place = gathered.site, gathered.place
    yield from kernel_findings(site, place, gathered.plan, found.kernel, gathered.import_memory)
    yield from disk_findings(place.state, found.free(place.state))
    yield from name_findings(site, found, is_container=place.is_container)
    yield from manager_findings(site, gathered.plan, found.etc)
    yield from mode_findings(site, place, said.databases)


def _unsaid(found: Iterable[Finding], source: list[Finding]) -> Iterator[Finding]:
    """The findings without those that the source check has with a line."""
    said = " ".join(finding.what for finding in source)
    for finding in found:
        is_key, is_job = finding.subject == "SECRET_KEY", finding.subject == "jobs" and "scheduler" in said
        if not (is_job or (is_key and "SECRET_KEY" in said)):
            yield finding
