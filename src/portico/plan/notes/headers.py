"""What the gateway's build cannot do about headers."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.kinds import gateway_of
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web


def named_server(web: Web) -> Iterator[str]:
    """A header that was to be removed and stays."""
    if web.headers.lacks_ability:
        kind = gateway_of(web.place)
        remedy = kind.remedies.get(Ability.CLEARS_HEADERS, "no build can")
        yield f"answers say `Server: {kind.name}`, without a version: this build cannot leave it out; {remedy}"
