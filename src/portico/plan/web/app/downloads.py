"""Files that the app opens or names, and the gateway or the worker sends: only Portico's worker may answer, because
its answers name files.
"""

from __future__ import annotations

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import common_features
from portico.plan.web.ability import Ability
from portico.plan.web.literal import is_literal
from portico.site.model import Site


class DownloadRoot(Struct, frozen=True):
    """A folder whose files are sent if the app names them."""

    folder: str
    """Its real path."""
    fence: str
    """The prefix of that path that only root can change: after it no symbolic link is followed."""
    cause: str


class Downloads(Struct, frozen=True):
    """What the app may have sent."""

    roots: tuple[DownloadRoot, ...] = ()
    """In the order of their numbers."""
    by_gateway: bool = False
    """Whether the gateway sends the files; else the worker does."""


def downloads(site: Site, place: Place, abilities: frozenset[Ability]) -> Downloads:
    """The folders that the gateway can read and name; all of them if the worker sends the files."""
    if Feature.DOWNLOADS not in common_features(site):
        return Downloads()
    by_gateway = Ability.DOWNLOADS in abilities
    return Downloads(
        tuple(
            DownloadRoot(root.folder, place.fence(root.folder), root.origin)
            for root in site.roots
            if root.is_declared or not by_gateway or (place.serves(root.folder) and is_literal(root.folder))
        ),
        by_gateway,
    )


def impossible(site: Site) -> list[Problem]:
    """Declared roots on a site whose app server cannot hand files over."""
    if not site.options.downloads.roots or Feature.DOWNLOADS in common_features(site):
        return []
    hint = "leave them out, or run a WSGI app with Gunicorn and without other servers"
    return [
        Problem(site.cause("downloads.roots"), "only Portico's own worker hands files to the gateway", hint)
    ]
