"""Notes about passwords: those whose verification blocks nginx, and those that commands show."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.app_servers.commands import after_release, background, before_release
from portico.plan.web.model import Web
from portico.site.access.users import seconds

_DEAR_SECONDS = 5e-3


def dear_passwords(web: Web) -> Iterator[str]:
    """A note for each file of users with a hash that costs too much for each request."""
    for one in web.access.users.values if web.access.users else ():
        name, cost = max(
            ((name, seconds(hashed)) for name, hashed in one.entries),
            key=lambda pair: pair[1],
            default=("", 0.0),
        )
        if cost > _DEAR_SECONDS:
            yield (
                f"{one.cause}: each request of {name} holds up a worker of {web.place.gateway.program} for about "
                f"{cost * 1000:.0f} ms, which is what verifying that hash costs; portico password writes one of 2 ms"
            )


def shown_passwords(web: Web) -> Iterator[str]:
    """A note for each command with a URL that has a password."""
    site, place = web.site, web.place
    release = {"[release] before": before_release(site, place), "[release] after": after_release(site, place)}
    processes = {f"[processes] {name}": one for name, one in background(site, place).items()}
    for where, process in (*release.items(), *processes.items()):
        if process and process.shows_password:
            yield (
                f"{where}: the password in its URL is shown by the log, portico status and ps; keep the URL in a "
                "variable of env_file, and write: sh -c '... \"$DATABASE_URL\"'"
            )
