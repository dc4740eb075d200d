"""nginx's cache of open files, for locations with repeated requests for the same files."""

from __future__ import annotations

from portico.plan.gateway.nginx.syntax import Directive, directive
from portico.plan.web.model import Web

_MOST, _LEAST = 4096, 16
"""For one location."""


def open_files(web: Web) -> list[Directive]:
    """In a location: open files stay open, and missing ones are remembered, for a second."""
    most = min(_MOST, web.processes.spare_files // max(1, _locations(web)))
    if most < _LEAST or web.statics.may_change:
        return []
    return [
        directive(
            "open_file_cache", f"max={most}", "inactive=60s",
            why="files stay open: no walk through the directories at each request",
            cause=web.processes.files_cause,
        ),
        directive(
            "open_file_cache_valid", "1s",
            why="checked again after a second, the shortest time nginx knows: by then it sees a file that was "
            "replaced, before a new release has started, and one check a second costs nothing",
        ),
        directive(
            "open_file_cache_errors", "on",
            why="nginx also remembers for that second that a file is missing: a compressed copy, the flag "
            "file of maintenance",
        ),
    ]  # fmt: skip


def _locations(web: Web) -> int:
    """The most locations that there can be: folders, each with that of the previous release; files and a page at the
    root; the app's.
    """
    of_app = 1 + len(web.routed) if web.cache else 0
    return 2 * web.statics.possible + len(web.statics.files) + (web.spa is not None) + of_app
