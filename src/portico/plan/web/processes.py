"""The gateway's own processes: who runs them, how many there are and what each may hold. Its place alone decides."""

from __future__ import annotations

from dataclasses import dataclass

from portico.place.model import Place
from portico.plan.web.sizes import connections, spare_files, workers


@dataclass(frozen=True)
class Processes:
    """Processes that talk to strangers."""

    user: str
    """Whose they are; empty: that of whoever starts them."""
    group: str
    workers: int
    """One for each CPU that this machine really gives."""
    files: int
    """That one may open: as many as the system allows, for every connection is one."""
    connections: int
    """That one may hold, of clients and to the app."""
    spare_files: int
    """That one may keep open besides, to find them again sooner; 0 or less leaves no room."""
    user_cause: str
    workers_cause: str
    files_cause: str


def processes(place: Place) -> Processes:
    """Those that fit the place."""
    return Processes(
        user=place.nginx_user,
        group=place.nginx_group,
        workers=workers(place),
        files=place.file_limit,
        connections=connections(place),
        spare_files=spare_files(place),
        user_cause=f"user: {place.user}",
        workers_cause=place.cpus_source,
        files_cause=f"file limit {place.file_limit}",
    )
