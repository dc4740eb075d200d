"""How long the app may be silent: each time that some route has needs a balancer of its own."""

from __future__ import annotations

from portico.plan.web.model import Web
from portico.site.model import Routed

STREAM_SECONDS = 3600
"""The longest silence of a route that streams, and of a WebSocket."""


def times(web: Web) -> dict[str, tuple[float, str]]:
    """The seconds and the cause of each balancer, by the suffix of its name; the site's own has none."""
    made = {"": (web.link.silence_seconds, web.link.silence_cause)}
    for routed in web.routed:
        suffix = suffix_of(web, routed)
        made.setdefault(suffix, (seconds_of(web, routed), routed.causes.get("timeout", routed.rule)))
    return made


def suffix_of(web: Web, routed: Routed | None) -> str:
    """The balancer of a route, by the suffix of its name."""
    if routed is None or seconds_of(web, routed) == web.link.silence_seconds:
        return ""
    return f"{seconds_of(web, routed):g}s".replace(".", "-")


def seconds_of(web: Web, routed: Routed) -> float:
    """The longest silence of the app on this route."""
    if routed.edge.timeout:
        return float(routed.edge.timeout)
    return float(STREAM_SECONDS) if routed.edge.stream else web.link.silence_seconds
