"""What the gateway does for one site, decided once: values that any gateway's renderer can write down."""

from __future__ import annotations

from dataclasses import dataclass

from portico.place.model import Place
from portico.site.model import Site


@dataclass(frozen=True)
class Web:
    """The decisions about one site, subject by subject."""

    site: Site
    place: Place
