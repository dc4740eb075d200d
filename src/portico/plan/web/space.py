"""What distinguishes the names of one site from those of others on the same gateway."""

from __future__ import annotations

import hashlib
import re

from portico.place.model import Place
from portico.site.model import Site

_NOT_A_WORD = re.compile(r"[^a-z0-9_]")


def space(site: Site, place: Place) -> str:
    """The site's word on a shared gateway; empty for a site alone."""
    return namespace(site.name) if place.host_runtime else ""


def namespace(name: str) -> str:
    """A word of lower-case letters, digits and underscores, unique to sites with this name."""
    word = _NOT_A_WORD.sub("_", name.lower())
    return (
        word
        if word == name and "__" not in word
        else f"{word}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    )
