"""What the user's words became."""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.plan.model import Plan
from portico.site.model import Site


class Gathered(Struct, frozen=True):
    """The three nouns of one site."""

    site: Site
    place: Place
    plan: Plan
    import_seconds: float = 0.0
    """How long the app took to answer; most of it is its import."""
    import_memory: int = 0
    """The memory in bytes of the process that asked the app, after loading it; 0: no app was asked."""
