"""The W3C trace context of a request for whoever answers but Portico's own worker, which makes its own.

nginx could only make one by captures in a map, which a generated configuration avoids (CVE-2026-93479): a trace that a
declared proxy began goes on, and what a stranger says of traces is not passed on.
"""

from __future__ import annotations

from portico.plan.appserver.kind import Feature
from portico.plan.gateway.nginx.conf import Directive, entries
from portico.plan.gateway.nginx.names import variable
from portico.plan.web.model import Web

SPEC = "https://www.w3.org/TR/trace-context/"
_HEADERS = ("traceparent", "tracestate")


def told_to_worker(web: Web) -> list[tuple[str, str, str]]:
    """The parameter that Portico's worker needs, its value and why."""
    if not (web.site.is_traced and Feature.TRACEPARENT in web.features and web.site.has_http_proxies):
        return []
    return [
        (
            "PORTICO_BEHIND",
            variable(web, "behind"),
            "the worker goes on with the trace of a declared proxy only",
        )
    ]


def context(web: Web) -> list[tuple[str, str, str]]:
    """The two headers for whoever else answers, their values and why."""
    if not web.site.is_traced or Feature.TRACEPARENT in web.features:
        return []
    is_told = web.site.has_http_proxies
    parent, state = (variable(web, name) if is_told else "" for name in _HEADERS)
    return [
        ("traceparent", parent, "a trace goes on that a declared proxy began; a stranger's is not passed on"),
        ("tracestate", state, "belongs to a trace that goes on"),
    ]


def tracing_maps(web: Web) -> list[Directive]:
    """Their variables, at http level."""
    if not (context(web) and web.site.has_http_proxies):
        return []
    why = "what a declared proxy says of the trace; what anybody else says is nothing"
    return [
        entries(
            "map", variable(web, "behind"), variable(web, name), table=[("default", ""), ("1", f"$http_{name}")],
            why=why, cause=web.site.cause("tracing.endpoint"),
        )
        for name in _HEADERS
    ]  # fmt: skip
