"""What do the user's own directives lose, or let through?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.place.model import Place
from portico.plan.decide import decided
from portico.plan.gateway.kinds import gateway_of
from portico.site.model import Site


def own_findings(site: Site, place: Place) -> Iterator[Finding]:
    """One finding for each block, with its line."""
    for one in gateway_of(place).own_risks(decided(site, place)):
        yield warning(one.where or "own directives", one.what, one.hint, "own-directives")
