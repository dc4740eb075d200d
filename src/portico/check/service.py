"""What a service's user cannot read: systemd itself reports only 203/EXEC."""

from __future__ import annotations

import os
from collections.abc import Iterator

from portico.place.access import blocked, needed
from portico.place.model import Place
from portico.site.model import Site
from portico.site.secrets import for_systemd

_ANYBODY = "nobody"
"""Stands for a user that systemd creates: it owns nothing and is in no group of the machine's."""
_PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108  a comparison


def obstacles(site: Site, place: Place, user: str) -> Iterator[str]:
    """What prevents the service of `user` (empty: one that systemd creates) from starting, one sentence each."""
    given = for_systemd(site)  # it reads them as root
    wanted = {
        **needed(place.python, site.facts.directory),
        **({"the app's Python": os.path.realpath(place.app_python)} if place.app_python else {}),
        place.gateway.program: os.path.realpath(place.gateway.path),
        **{f"https.{name}": path for name, path in site.https_files.items() if f"https.{name}" not in given},
        **{f"env_file {name}": site.path(name) for name in site.options.env_file},
    }
    said: set[str] = set()
    for name, path in wanted.items():
        if not user and path.startswith(tuple(f"{top}/" for top in _PRIVATE)):
            yield f"{name} is in {path}: a temporary user of systemd has a /tmp of its own, and would not see it"
            continue
        try:
            found = blocked(path, user or _ANYBODY)
        except KeyError:
            return  # there is no such user here: the unit is for another machine
        if found and found.path not in said:
            said.add(found.path)
            whom = f"user '{user}'" if user else "a user that systemd makes up"
            yield f"{name} is in {path}, which {whom} cannot reach ({found.path}); export with --user, or move it"
