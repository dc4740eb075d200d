"""The user's error pages that are never shown."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web


def unused_pages(web: Web) -> Iterator[str]:
    """The user's pages for errors that the app answers."""
    unused = web.pages.unused
    if unused:
        are = "are" if len(unused) > 1 else "is"
        yield f"{', '.join(unused)} {are} never shown by {web.place.gateway.program}: the app answers those errors"
