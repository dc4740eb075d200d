"""Site and Place become the decisions of the gateway. Pure."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.web.limits import limits
from portico.plan.web.model import Web
from portico.site.model import Site


def web(site: Site, place: Place) -> Web:
    """Everything that is decided about the site on this place, before it is written for any gateway."""
    return Web(
        site=site,
        place=place,
        limits=limits(site, place),
    )
