"""Static folders that the app answers, because the gateway cannot or must not."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.literal import is_literal, is_sendable
from portico.plan.web.model import Web


def unreadable(web: Web) -> Iterator[str]:
    """Folders that the gateway's user cannot read."""
    for folder in web.site.static:
        if why := web.place.unreadable.get(folder.folder):
            what = f"{web.place.gateway.program} cannot read {folder.folder} ({why})"
            yield f"{what}: the app itself answers {folder.url}"


def withheld(web: Web) -> Iterator[str]:
    """Folders that the app's user may not read."""
    for folder in web.site.static:
        if why := web.place.withheld.get(folder.folder):
            does = f"{web.place.gateway.program} does not serve {folder.folder}"
            yield f"{does} ({why}): the app itself answers {folder.url}"


def unwritable(web: Web) -> Iterator[str]:
    """Folders with names or headers that the gateway's configuration cannot express."""
    for folder in web.site.facts.static:
        if not is_literal(folder.folder):
            cannot = f"{web.place.gateway.program} cannot write the name {folder.folder!r}"
            yield f"{cannot}: the app itself answers {folder.url}"
        elif not is_sendable(folder):
            cannot = f"{web.place.gateway.program} cannot write a header of {folder.url} that has a $"
            yield f"{cannot} or a control character: the app itself answers there"
