"""The trace of a request (W3C trace context): a declared proxy's continues, an untrusted client's never does."""

from __future__ import annotations

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.plan.app_servers.chosen import common_features
from portico.site.model import Site


class Tracing(Struct, frozen=True):
    """Every request belongs to a trace."""

    by_worker: bool
    """Portico's own worker makes the traceparent of each request; otherwise the gateway passes on what it trusts."""
    from_proxy: bool
    """A trace that a declared proxy began continues; otherwise no client's trace does."""
    cause: str


def tracing(site: Site) -> Tracing | None:
    """The traces of requests; None without tracing."""
    if not site.is_traced:
        return None
    by_worker = Feature.TRACEPARENT in common_features(site)
    return Tracing(by_worker, from_proxy=site.has_http_proxies, cause=site.cause("tracing.endpoint"))
