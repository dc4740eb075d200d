"""Tells a full queue from an app that is down, for a request that no worker accepted."""

from __future__ import annotations

from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.paths import Paths
from portico.plan.web.model import Web

UNCONNECTED = "$portico_is_unconnected"
"""1 if the last connection attempt failed."""


def if_full(web: Web, *answer: Directive) -> list[Directive]:
    """In a location for requests that no worker accepted: the answer if the app's queue was full.

    $upstream_connect_time is "-" if no connection was made. The kernel refuses a connection to a unix socket at once
    when the backlog is full (EAGAIN, man 2 connect). Without a live release nothing listens. Nothing is known about
    servers elsewhere.
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
