"""The W3C trace context of a request, where nginx has to make it: for whoever answers but Portico's own worker.

A trace that begins here has the request's own id; who comes next is told the second half of that as its parent. One
that a declared proxy began goes on; what a stranger says of traces is not passed on.
"""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, entries
from portico.plan.tracing import ALL, bound, is_workers
from portico.site.model import Site

SPEC = "https://www.w3.org/TR/trace-context/"
_ID = "(?!0{32})(?<portico_trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
_GOES_ON = (
    (f"~^1:00-{_ID}-[0-9a-f][13579bdf]$", "01"),
    (f"~^1:00-{_ID}-[0-9a-f][02468ace]$", "00"),
)
_DIGITS = "0123456789abcdef"


def told_to_worker(site: Site) -> list[tuple[str, str, str]]:
    """The parameter that Portico's worker needs, its value and why."""
    if not (site.is_traced and is_workers(site) and site.proxies):
        return []
    return [
        ("PORTICO_BEHIND", "$portico_behind", "the worker goes on with the trace of a declared proxy only")
    ]


def context(site: Site) -> list[tuple[str, str, str]]:
    """The two headers for whoever else answers, their values and why."""
    if not site.is_traced or is_workers(site):
        return []
    parent, state = ("$portico_traceparent", "$portico_tracestate") if site.proxies else (_begun(site), "")
    return [
        ("traceparent", parent, "the trace of the request, and the span before the next one"),
        ("tracestate", state, "belongs to a trace that goes on; a stranger's is not passed on"),
    ]


def tracing_maps(site: Site) -> list[Directive]:
    """Their variables, at http level."""
    if not context(site):
        return []
    cause, below = site.cause("tracing.endpoint"), bound(site.options.tracing.sample)
    made = [
        entries(
            "map", "$request_id", "$portico_span",
            table=[("default", ""), ("~^.{16}(?<portico_half>.{16})$", "$portico_half")],
            why="the second half of the request's id: the span that what answers next belongs to", cause=cause,
        ),
    ]  # fmt: skip
    if below != ALL:
        made.append(
            entries(
                "map", "$request_id", "$portico_sampled", table=[("default", "00"), *_sampled(below)],
                why="01 for the share of the traces that is sent", cause=site.cause("tracing.sample"),
            )
        )  # fmt: skip
    return [*made, *(_going_on(site, cause) if site.proxies else [])]


def _begun(site: Site) -> str:
    """The traceparent of a trace that begins here."""
    is_all = bound(site.options.tracing.sample) == ALL
    return f"00-$request_id-$portico_span-{'01' if is_all else '$portico_sampled'}"


def _going_on(site: Site, cause: str) -> list[Directive]:
    came = "$portico_behind:$http_traceparent"
    parents = [(rule, f"00-$portico_trace-$portico_span-{flag}") for rule, flag in _GOES_ON]
    return [
        entries(
            "map", came, "$portico_traceparent", table=[("default", _begun(site)), *parents],
            why="the trace that a declared proxy began, or else one with the id of the log line", cause=cause,
        ),
        entries(
            "map", came, "$portico_tracestate",
            table=[("default", ""), *((rule, "$http_tracestate") for rule, _ in _GOES_ON)],
            why="what others have noted of a trace that goes on", cause=cause,
        ),
    ]  # fmt: skip


def _sampled(below: str) -> list[tuple[str, str]]:
    """Ids whose digits 16 to 19 are less than these four."""
    less = [f"{below[:at]}[{_DIGITS[: int(digit, 16)]}].*" for at, digit in enumerate(below) if digit != "0"]
    return [(f"~^.{{16}}(?:{'|'.join(less)})$", "01")] if less else []
