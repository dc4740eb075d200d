"""Whose trace a request belongs to (W3C trace context): a declared proxy's goes on, a stranger's never does."""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.appserver.kind import Feature, common_features
from portico.site.model import Site


@dataclass(frozen=True)
class Tracing:
    """Every request belongs to a trace."""

    by_worker: bool
    """Portico's own worker makes the traceparent of each request; else the gateway passes on what it believes."""
    from_proxy: bool
    """A trace that a declared proxy began goes on; else nobody in front is believed."""
    cause: str


def tracing(site: Site) -> Tracing | None:
    """Whose trace goes on; None where requests belong to none."""
    if not site.is_traced:
        return None
    by_worker = Feature.TRACEPARENT in common_features(site)
    return Tracing(by_worker, from_proxy=site.has_http_proxies, cause=site.cause("tracing.endpoint"))
