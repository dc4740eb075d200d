"""Decides which sites may share a gateway that cannot keep the sites of different users apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.gateway.kinds import gateway_of
from portico.run.host.hosted import DesiredSite


def not_apart(
    one: DesiredSite, desired: Iterable[DesiredSite], serving: Iterable[DesiredSite], place: Place
) -> tuple[Problem, ...]:
    """Why a new site may not be beside the others: somebody beside root can change its file, or that of a site that
    serves already.

    `desired` are all sites, `serving` those that keep their part.
    """
    kind = gateway_of(place)
    if not kind.one_ends_all:
        return ()
    beside = [other for other in desired if other is not one]
    shaky = one if one.doubt and beside else next((other for other in serving if other.doubt), None)
    if shaky is None:
        return ()
    whose = "" if shaky is one else f"{shaky.origin}: "
    what = f"{kind.one_ends_all}; {whose}{shaky.doubt}"
    hint = (
        "use nginx (--gateway nginx), or move the file to where only root may write, such as /etc/portico/sites,\n"
        "see docs/apache.md"
    )
    return (Problem(one.origin, what, hint),)
