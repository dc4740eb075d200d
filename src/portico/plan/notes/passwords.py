"""Notes about passwords whose verification blocks nginx."""

from __future__ import annotations

from collections.abc import Iterator

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
