"""Which requests have spans, and their content. Pure.

The ID of a trace decides whether it is sampled, so that the worker, nginx and Portico's own process agree: digits
16 to 19 are compared with a bound. They are the first of the lower 64 bits, which OpenTelemetry's own ratio
samplers use.
"""

from __future__ import annotations

from collections import Counter

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import common_features
from portico.plan.subjects import Tracing
from portico.site.checks.observers import NOWHERE
from portico.site.model import Site

VARIABLE = "PORTICO_TRACING"
"""The worker's variable with the bound."""
ALL = "g"
"""A bound above every hexadecimal digit."""
_STEPS = 1 << 16
_PATH = "/v1/traces"


def planned(site: Site) -> Tracing | None:
    """What Portico's own process needs to make spans; None without tracing."""
    if not site.is_traced:
        return None
    wanted = site.options.tracing
    return Tracing(
        url="" if wanted.endpoint == NOWHERE else _url(wanted.endpoint),
        service=wanted.service or site.name,
        below=bound(wanted.sample),
        headers_file=site.path(wanted.headers_file),
        reader=site.reader,
        routes=_routes(site),
        mask=tuple(site.options.trace.mask),
    )


def impossible(site: Site, place: Place) -> list[Problem]:
    """Problems: spans that cannot be sent."""
    if not site.is_traced or site.options.tracing.endpoint == NOWHERE or place.otlp:
        return []
    where = site.cause("tracing.endpoint")
    hint = f'pip install opentelemetry-proto requests, or endpoint = "{NOWHERE}" to give the app traceparent alone'
    return [Problem(where, "what sends spans is not installed", hint)]


def bound(share: float) -> str:
    """Four hexadecimal digits above this share of all IDs, or ALL; above 0 it is at least 1 in 65 536."""
    steps = max(round(share * _STEPS), int(share > 0))
    return f"{steps:04x}" if steps < _STEPS else ALL


def told_to_worker(site: Site) -> dict[str, str]:
    """The variables in the worker's environment."""
    makes_contexts = site.is_traced and Feature.TRACEPARENT in common_features(site)
    return {VARIABLE: bound(site.options.tracing.sample)} if makes_contexts else {}


def _url(endpoint: str) -> str:
    bare = endpoint.rstrip("/")
    return bare if bare.endswith(_PATH) else bare + _PATH


def _routes(site: Site) -> dict[str, str]:
    counts = Counter(route.endpoint for route in site.facts.routes)
    return {
        route.endpoint: site.prefix + route.rule
        for route in site.facts.routes
        if route.endpoint and counts[route.endpoint] == 1
    }
