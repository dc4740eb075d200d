"""The W3C trace context of a request, for servers without Portico's worker, which makes its own.

nginx could make one only with captures in a map, which generated configurations avoid (CVE-2026-93479): a trace that
a declared proxy began continues; trace headers of other clients are removed.
"""

from __future__ import annotations

from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, entries
from portico.plan.web.model import Web

SPEC = "https://www.w3.org/TR/trace-context/"
_HEADERS = ("traceparent", "tracestate")


def told_to_worker(web: Web) -> list[tuple[str, str, str, str]]:
    """The parameter that Portico's worker needs, with its value, reason and cause."""
    tracing = web.tracing
    if not (tracing and tracing.by_worker and tracing.from_proxy):
        return []
    why = "the worker continues the trace of a declared proxy only"
    return [("PORTICO_BEHIND", variable(web, "behind"), why, tracing.cause)]


def context(web: Web) -> list[tuple[str, str, str, str]]:
    """The two headers for other servers, with their values, reason and cause."""
    tracing = web.tracing
    if not tracing or tracing.by_worker:
        return []
    parent, state = (variable(web, name) if tracing.from_proxy else "" for name in _HEADERS)
    why = "the trace of a declared proxy continues; an untrusted client's is not passed on"
    return [
        ("traceparent", parent, why, tracing.cause),
        ("tracestate", state, "belongs to a trace that goes on", tracing.cause),
    ]


def tracing_maps(web: Web) -> list[Directive]:
    """Their variables, at http level."""
    tracing = web.tracing
    if not tracing or tracing.by_worker or not tracing.from_proxy:
        return []
    why = "the trace context of a declared proxy; any other is dropped"
    return [
        entries(
            "map", variable(web, "behind"), variable(web, name), table=[("default", ""), ("1", f"$http_{name}")],
            why=why, cause=tracing.cause,
        )
        for name in _HEADERS
    ]  # fmt: skip
