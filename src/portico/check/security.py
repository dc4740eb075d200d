"""The published faults of the gateway in use that have no fix, and whether this site uses what they need."""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, fault, ok, warning
from portico.place.model import Place
from portico.plan.gateway.faults import Hole
from portico.plan.gateway.kinds import gateway_of
from portico.plan.notes.reachable import is_reachable
from portico.site.model import Site


def security_findings(site: Site, place: Place) -> Iterator[Finding]:
    """A fault for a severe one that remote clients can exploit, a warning for any other that the site uses."""
    faults = gateway_of(place).faults
    found = faults.found(site, place)
    program = place.gateway.program
    if not faults.as_of:
        yield _unjudged(place)
        return
    used = [one for one in found if one.is_used]
    build, judged = place.gateway.described, faults.judged_by(place)
    if not used:
        what = f"no fault known as of {faults.as_of} touches this site on {program} {build}, by {judged}"
        yield ok(f"{program} security", what, "gateway-fault")
    for one in used:
        yield _open(one, site, place)
    if unused := [one.advisory.id for one in found if not one.is_used]:
        what = f"open in {program} {build}, but your configuration does not use what they need: {', '.join(unused)}"
        yield ok(f"{program}, unused", what, "gateway-fault")


def _unjudged(place: Place) -> Finding:
    program = place.gateway.program
    what = (
        f"Portico has no list of {program}'s published faults, so it does not know whether "
        f"{place.gateway.described} has one; your distribution mends them"
    )
    return warning(f"{program} security", what, gateway_of(place).faults.mend(place), "gateway-unjudged")


def _open(one: Hole, site: Site, place: Place) -> Finding:
    advisory, faults = one.advisory, gateway_of(place).faults
    uses = (
        "your configuration uses this" if advisory.needs else "no configuration is known to be safe from it"
    )
    what = (
        f"{advisory.about}, {advisory.severity}, open in {place.gateway.program} {place.gateway.number} as of "
        f"{faults.as_of}; {uses}; {advisory.source}"
    )
    mends = f'\n{advisory.mends} = "off" avoids it' if advisory.mends else ""
    make = fault if one.is_severe and is_reachable(site) else warning
    return make(advisory.id, what, faults.mend(place) + mends, "gateway-fault")
