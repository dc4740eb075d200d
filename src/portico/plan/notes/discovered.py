"""Notes from asking the app."""

from __future__ import annotations

from portico.plan.web.model import Web


def discovered(web: Web) -> list[str]:
    """The notes of the child process that asked the app."""
    return web.site.facts.notes
