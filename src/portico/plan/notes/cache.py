"""A cache that was asked for and is not there."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web


def uncached(web: Web) -> Iterator[str]:
    """Why nothing is kept, although the site or some of its routes ask for it."""
    if web.cache:
        return
    if web.site.options.cache.size:
        yield (
            f"nothing is cached: nginx {web.place.nginx.number} reads only one line of Vary and of Cache-Control; "
            "1.23 and newer read all"
        )
    elif any(item.edge.cache is not None for item in web.routed):
        yield "nothing is cached, although some routes ask for it: cache.size is 0B"
