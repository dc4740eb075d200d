"""How long the app may be silent: each time that some route has needs a balancer of its own."""

from __future__ import annotations

from portico.app_servers.kind import Feature
from portico.plan import decisions
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
    if has_websockets(web):
        made.setdefault(silent(web), (float(STREAM_SECONDS), decisions.LINK))
    return made


def has_websockets(web: Web) -> bool:
    """Whether the app here may get WebSockets; servers of [upstream] have one time for all requests."""
    is_http = web.upstream.protocol in ("http", "https")
    return is_http and not web.upstream.is_shared and Feature.WEBSOCKETS in web.features


def suffix_of(web: Web, routed: Routed | None) -> str:
    """The balancer of a route, by the suffix of its name."""
    if routed is None or seconds_of(web, routed) == web.link.silence_seconds:
        return ""
    return _suffix(seconds_of(web, routed))


def silent(web: Web) -> str:
    """The balancer of WebSockets, by the suffix of its name."""
    return "" if web.link.silence_seconds == STREAM_SECONDS else _suffix(STREAM_SECONDS)


def seconds_of(web: Web, routed: Routed) -> float:
    """The longest silence of the app on this route."""
    if routed.edge.timeout:
        return float(routed.edge.timeout)
    return float(STREAM_SECONDS) if routed.edge.stream else web.link.silence_seconds


def _suffix(seconds: float) -> str:
    return f"{seconds:g}s".replace(".", "-")
