"""A requested cache that is off."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.kinds import gateway_of
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web


def uncached(web: Web) -> Iterator[str]:
    """Why nothing is cached, although the site or some routes ask for it."""
    if web.cache:
        return
    if web.site.options.cache.size:
        kind = gateway_of(web.place)
        if Ability.CACHE not in web.abilities:
            remedy = kind.remedies.get(Ability.CACHE, f"{kind.name} keeps no answers")
            yield f"nothing is cached: {remedy}"
            return
        yield (
            f"nothing is cached: {kind.name} {web.place.gateway.number} reads only one line of Vary and of "
            f"Cache-Control; {kind.remedies[Ability.EVERY_LINE]}"
        )
    elif any(item.edge.cache is not None for item in web.routed):
        yield "nothing is cached, although some routes ask for it: cache.size is 0B"
