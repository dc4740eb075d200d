"""Files that the user's own directives name: the gateway's user must read them, or visitors get errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.place.access import blocked
from portico.place.model import Place
from portico.site.model import Site


def refuse_unreadable(site: Site, place: Place) -> None:
    """Raises UsageError with each file that the gateway's workers could not read."""
    if problems := tuple(_unreadable(site, place)):
        raise UsageError(*problems)


def _unreadable(site: Site, place: Place) -> Iterator[Problem]:
    for file in site.own.files:
        stopped = blocked(file.path, place.gateway_user)
        if stopped is None or (stopped.path == file.path and Path(file.path).is_dir()):
            continue  # a directory need not be listed
        user = place.gateway_user or place.user
        who = f"{place.gateway.program} (user {user})"
        what = f'{file.directive}: {who} cannot read "{file.path}": {stopped.path}: {stopped.why}'
        yield Problem(file.where, what, _hint(stopped.path, file.path, place))


def _hint(stopped: str, path: str, place: Place) -> str:
    if stopped == path and place.gateway_group:
        group = place.gateway_group
        return f"let only {place.gateway.program}'s group read it: chgrp {group} {path}; chmod 640 {path}"
    return "move it to where that user may read it"
