"""Server-Timing: where the time of a request went, for the client that may see it.

Times tell more than they seem to: whether a name is known, what is cached. So only a connection from this machine gets
them, and none that a proxy has passed on, behind which anybody may be.
"""

from __future__ import annotations

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.plan.app_servers.chosen import common_features
from portico.site.model import Site

LOCAL = "local"
PROXY_HEADERS = (
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via", "CF-Ray",
    "CF-Connecting-IP", "True-Client-IP", "X-Amzn-Trace-Id",
)  # fmt: skip
"""A request with one of these has come through a proxy, declared or not."""
UNTIL_HEAD = "until the head"
"""What the gateway's own figure means."""


class ServerTiming(Struct, frozen=True):
    """Clients on this machine get the times of their requests."""

    by_worker: bool
    """Portico's own worker tells the time in its queue and in the app; otherwise the gateway knows their sum only."""
    cause: str


def server_timing(site: Site) -> ServerTiming | None:
    """None: nobody gets them."""
    if site.options.trace.server_timing != LOCAL:
        return None
    return ServerTiming(Feature.NUMBERS in common_features(site), site.cause("trace.server_timing"))


def told_to_worker(site: Site) -> dict[str, str]:
    """The variables in the worker's environment."""
    timing = server_timing(site)
    return {"PORTICO_SERVER_TIMING": "1"} if timing and timing.by_worker else {}
