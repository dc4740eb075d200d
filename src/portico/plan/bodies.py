"""The directories of bodies on their way. nginx's user can put nothing in the place of one of them.

nginx's master gives each of these paths to its workers' user, with every start, reload and test, and follows a link
there. So Portico makes them, of that user from the start, in a directory that only root may write to.
"""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.model import Directory
from portico.plan.paths import BODIES, Paths


def body_directories(place: Place) -> tuple[Directory, ...]:
    """The one above first."""
    above, user, group = Paths.of(place).temporary, place.nginx_user, place.nginx_group
    return (
        Directory(above, 0o750 if group else 0o700, group=group),
        *(Directory(f"{above}/{name}", 0o700, owner=user, group=group) for name in BODIES),
    )
