"""How long a request may take: as its route says itself, else `request_timeout`. Pure."""

from __future__ import annotations

import re

from portico.site.model import Routed, Site
from portico.values import Duration


def timeout_of(site: Site, path: str) -> Duration:
    """The timeout that holds for this path."""
    own = with_own_timeout(site, path)
    return own.edge.timeout if own and own.edge.timeout else site.options.request_timeout


def with_own_timeout(site: Site, path: str) -> Routed | None:
    """The route of this path, if it has a timeout of its own: `request_timeout` does not count there."""
    below = path.partition("?")[0].removeprefix(site.prefix)
    found = next((one for one in site.routed if re.fullmatch(one.pattern, below)), None)
    return found if found and found.edge.timeout else None
