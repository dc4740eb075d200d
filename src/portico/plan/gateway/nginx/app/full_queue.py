"""A request that no worker took: was the queue of the app full, or is the app not there?"""

from __future__ import annotations

from portico.plan.gateway.nginx.conf import Directive, block, directive
from portico.plan.paths import Paths
from portico.plan.web.model import Web

UNCONNECTED = "$portico_is_unconnected"
"""1 when the last connection that was tried came to nothing."""


def if_full(web: Web, *answer: Directive) -> list[Directive]:
    """In a location that is reached when no worker took the request: the answer where the queue of the app was full.

    $upstream_connect_time is "-" where no connection came about. The kernel refuses a connection to a unix socket at
    once when as many wait as may (EAGAIN, man 2 connect). Without a live release nobody
    listens. Of servers elsewhere nothing is known.
    """
    if web.upstream.is_shared or not web.upstream.has_app:
        return []
    return [
        block(
            "if", "(!-f", f"{Paths.of(web.place).live})", why="this file exists while a release is live",
            of=[directive("return", 502, why="the app is not there")],
        ),
        block(
            "if", f"({UNCONNECTED})", why="its socket is there and took no connection: the queue is full",
            of=list(answer),
        ),
    ]  # fmt: skip
