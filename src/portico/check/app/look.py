"""Asks the app twice, in two processes at the same time: what differs is different in each worker."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from portico.app_servers.start import asks
from portico.check.model import Finding, warning
from portico.errors import PorticoError
from portico.place.model import Place
from portico.site.discover import start_discovery
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.values import AppRef


def looks(
    site: Site, place: Place, who: Mapping[str, Any] | None
) -> tuple[Sequence[AppFacts], Sequence[Finding]]:
    """Its answers, with the properties of its keys and settings; none, and why, if its import fails.

    `who` imports it, as in `start_discovery`.
    """
    try:
        return _looks(site, place, who), ()
    except PorticoError as error:
        what = f"two processes cannot import it at the same time: {error.problems[0].what}"
        return (), (warning("app", what, "the workers will do so", "app"),)


def _looks(site: Site, place: Place, who: Mapping[str, Any] | None) -> Sequence[AppFacts]:
    """Raises PorticoError."""
    reference, salt = AppRef.parse(site.facts.app), secrets.token_hex(16)
    program = asks(place.app_python, place.package_path)
    started = [
        start_discovery(reference, Path(site.facts.directory), program=program, who=who, salt=salt)
        for _ in range(2)
    ]
    try:
        return [look.facts() for look in started]
    finally:
        for look in started:
            look.close()
