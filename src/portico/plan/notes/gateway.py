"""What the gateway's build cannot do, and what the sites on one gateway share."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.nginx.fragment import USERS_HTTP, is_shared
from portico.plan.web.model import Web


def shared_lines(web: Web) -> Iterator[str]:
    """Lines of the user's own that hold for the other sites, too."""
    if web.place.gateway and is_shared(web):
        yield USERS_HTTP


def unusable_build(web: Web) -> Iterator[str]:
    """Why a build that is there cannot be used."""
    if web.place.nginx_note:
        yield web.place.nginx_note
