"""What do the user's own directives lose, let through, or end too soon?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.place.model import Place
from portico.plan.decide import decided
from portico.plan.gateway.kinds import gateway_of
from portico.site.model import Site


def own_findings(site: Site, place: Place) -> Iterator[Finding]:
    """One finding for each block, with its line."""
    kind, web = gateway_of(place), decided(site, place)
    for one in kind.own_risks(web):
        yield warning(one.where or "own directives", one.what, one.hint, "own-directives")
    for one in kind.own_limits(web.own.all, site.options.request_timeout, site.max_upload):
        yield warning(one.where or "own directives", one.what, one.hint, "own-limits")
