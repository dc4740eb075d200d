"""The oldest nginx that is written for."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Place

OLDEST_NGINX = (1, 22, 0)
"""Debian 12's; what is written here was tried on nothing older."""


def impossible_version(place: Place) -> list[Problem]:
    """Why this nginx is too old; nothing for a newer one."""
    if place.nginx.since(*OLDEST_NGINX):
        return []
    oldest = ".".join(map(str, OLDEST_NGINX))
    what = f"nginx {place.nginx.number} is too old, Portico writes for {oldest} and newer"
    return [
        Problem(
            place.nginx.path,
            what,
            "leave --nginx out: Portico then takes one that can, at least its own (embedded)",
        )
    ]
