"""Limits of the gateway's build regarding headers."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.kinds import gateway_of
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web


def named_server(web: Web) -> Iterator[str]:
    """A header that should be removed and stays."""
    if web.headers.lacks_ability:
        kind = gateway_of(web.place)
        remedy = kind.remedies.get(Ability.CLEARS_HEADERS, "no build can")
        yield f"answers say `Server: {kind.name}`, without a version: this build cannot leave it out; {remedy}"
