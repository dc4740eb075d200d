"""The gateway's own processes: their user, number and limits. The place alone decides."""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.plan.web.sizes import connections, spare_files, workers


class Processes(Struct, frozen=True):
    """Processes that serve untrusted clients."""

    user: str
    """Their user; empty: the user that starts them."""
    group: str
    workers: int
    """One for each CPU that this machine really provides."""
    files: int
    """Files of one process: as many as the system allows, because every connection is one."""
    connections: int
    """Connections of one process, to clients and to the app."""
    spare_files: int
    """Files that one may cache open besides; 0 or less leaves no room."""
    user_cause: str
    workers_cause: str
    files_cause: str


def processes(place: Place) -> Processes:
    """The processes for the place."""
    return Processes(
        user=place.gateway_user,
        group=place.gateway_group,
        workers=workers(place),
        files=place.file_limit,
        connections=connections(place),
        spare_files=spare_files(place),
        user_cause=f"user: {place.user}",
        workers_cause=place.cpus_source,
        files_cause=f"file limit {place.file_limit}",
    )
