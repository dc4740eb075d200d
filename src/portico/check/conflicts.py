"""Can the sites share one gateway?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.check.model import Finding, fault, warning
from portico.errors import Problem
from portico.plan.bindings import BindingTable
from portico.plan.gateway.kinds import gateway_named
from portico.plan.host import fragment_of
from portico.plan.model import Plan


def site_findings(
    plan: Plan | None, problems: Iterable[Problem], bindings: BindingTable
) -> Iterator[Finding]:
    """The findings about one more site; `bindings` are those of the sites before it, and include its own
    afterwards.

    Without a plan, `problems` say why it has none.
    """
    yield from map(refused, problems)
    if plan is None:
        return
    if (problem := bindings.add(fragment_of(plan).bindings)) is not None:
        yield refused(problem)
    shared = gateway_named(plan.gateway.name).shared
    if shared.what in plan.notes:
        yield warning(shared.where, shared.what, shared.hint, "shared-directives")


def refused(problem: Problem) -> Finding:
    """Why the site would not be served, as a finding."""
    what = f"{problem.where}: {problem.what}" if problem.where else problem.what
    return fault("site", what, "\n".join(filter(None, (problem.quote, problem.hint))), "site")
