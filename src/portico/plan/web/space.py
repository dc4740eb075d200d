"""What distinguishes the names of one site from those of others on the same gateway."""

from __future__ import annotations

import hashlib
import re

from portico.place.model import Place
from portico.site.model import Site

_NOT_A_WORD = re.compile(r"[^a-z0-9_]")
_DIGEST = re.compile(r".*_[0-9a-f]{12}", re.DOTALL)


def space(site: Site, place: Place) -> str:
    """The site's word on a shared gateway; empty for a site alone."""
    return namespace(site.name) if place.host_runtime else ""


def namespace(name: str) -> str:
    """A word of lower-case letters, digits and underscores, unique to sites with this name: who chooses the name of a
    site finds none with the word of another.
    """
    word = _NOT_A_WORD.sub("_", name.lower())
    if word == name and "__" not in word and not _DIGEST.fullmatch(word):
        return word
    return f"{word}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
