"""Options that choose among servers."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.app.upstream import ROUND_ROBIN
from portico.plan.web.model import Web


def nothing_to_choose(web: Web) -> Iterator[str]:
    """Options for choosing among servers, without servers."""
    options = web.site.options.upstream
    if not web.site.servers and (options.method != ROUND_ROBIN or options.sticky):
        yield "upstream.method and upstream.sticky choose among upstream.servers, and there are none"
