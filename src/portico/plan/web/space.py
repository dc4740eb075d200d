"""What tells the names of one site from those of others on the same gateway."""

from __future__ import annotations

import hashlib
import re

from portico.place.model import Place
from portico.site.model import Site

_NOT_A_WORD = re.compile(r"[^a-z0-9_]")


def space(site: Site, place: Place) -> str:
    """A word for the site, where others are beside it; empty for a site alone."""
    return namespace(site.name) if place.gateway else ""


def namespace(name: str) -> str:
    """A word of small letters, digits and underscores that no site of another name has."""
    word = _NOT_A_WORD.sub("_", name.lower())
    return (
        word
        if word == name and "__" not in word
        else f"{word}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    )
