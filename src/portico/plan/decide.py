"""The decisions about a site on this place, for the gateway of the place."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.kinds import gateway_of
from portico.plan.web.build import web
from portico.plan.web.model import Web
from portico.site.model import Site


def decided(site: Site, place: Place, *, is_waiting: bool = False) -> Web:
    """All decisions about the site, before they are written for the gateway; `is_waiting`: its app is not known yet."""
    return web(site, place, gateway_of(place).abilities(place), is_waiting=is_waiting)
