"""What was found when the app was asked."""

from __future__ import annotations

from portico.plan.web.model import Web


def discovered(web: Web) -> list[str]:
    """What the child process that asked it has to say, in its own words."""
    return web.site.facts.notes
