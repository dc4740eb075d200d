"""Copies of requests for another release or server, whose answers are dropped."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.paths import mirror_socket
from portico.plan.web.ability import Ability
from portico.plan.web.routing.build import route_of
from portico.plan.web.routing.model import Mirror
from portico.site.model import Site
from portico.site.routing import RouteRule, percentage, target

MOST = 64
"""How many copies wait for the other server at once: more are not sent. A judgement: a server that is slow gets no
connections that clients need.
"""
METHODS = ("GET", "HEAD")
"""Requests that change nothing, by their definition."""


def mirror(site: Site, place: Place, abilities: frozenset[Ability]) -> Mirror | None:
    """The mirror, or None."""
    said, cause = site.options.mirror, site.cause("mirror.to")
    if not said.to or Ability.ROUTES not in abilities:
        return None
    rule = RouteRule(0, "/", target(said.to), cause=cause)
    share = 100.0 if said.share == "100%" else percentage(said.share)
    return Mirror(route_of(site, place, abilities, rule), share, mirror_socket(place, site.name), cause)
