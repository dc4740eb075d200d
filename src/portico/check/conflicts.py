"""Can the sites stand beside each other on one gateway?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.check.model import Finding, fault, warning
from portico.errors import Problem
from portico.plan.bindings import BindingTable
from portico.plan.host import fragment_of
from portico.plan.model import Plan
from portico.plan.web.own import FOR_ALL


def site_findings(
    plan: Plan | None, problems: Iterable[Problem], bindings: BindingTable
) -> Iterator[Finding]:
    """What is said of one more site; `bindings` are those of the sites before it, and have its own afterwards.

    Without a plan, `problems` say why it has none.
    """
    yield from map(refused, problems)
    if plan is None:
        return
    if (problem := bindings.add(fragment_of(plan).bindings)) is not None:
        yield refused(problem)
    yield from (
        warning("[nginx] http", note, _SHARED, "shared-directives") for note in plan.notes if note == FOR_ALL
    )


_SHARED = "use [nginx] server if the directive is allowed there"


def refused(problem: Problem) -> Finding:
    """Why the site would not be served, as a finding."""
    what = f"{problem.where}: {problem.what}" if problem.where else problem.what
    return fault("site", what, "\n".join(filter(None, (problem.quote, problem.hint))), "site")
