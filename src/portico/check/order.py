"""Limits in the wrong order: one that another stops first."""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.site.limit import OFF, Limit
from portico.site.model import Site


def order_findings(site: Site) -> Iterator[Finding]:
    """Nothing where all of them can come to act."""
    yield from _unreached(site)


def _unreached(site: Site) -> Iterator[Finding]:
    of_site = site.options.limits.rate
    yield from _behind("[limits] rate", of_site, [])
    for route in site.routed:
        own = route.edge.limit
        yield from _behind(route.rule, own, [] if OFF in own else of_site)


def _behind(where: str, own: list[str], outer: list[str]) -> Iterator[Finding]:
    """Each limit that never refuses a request, because another one refuses it first."""
    limits = [(text, Limit.parse(text)) for text in own if text != OFF]
    above = [(text, Limit.parse(text)) for text in outer if text != OFF]
    for index, (text, limit) in enumerate(limits):
        before = [
            *above,
            *(one for at, one in enumerate(limits) if at != index and (at < index or one[1] != limit)),
        ]
        if first := next((each for each, other in before if _stops_first(other, limit)), ""):
            what = f'"{text}" never refuses a request: "{first}" does so before'
            hint = 'remove it, lower it, or add "off" so that those of [limits] do not hold here'
            yield warning(where, what, hint, "limit-order")


def _stops_first(other: Limit, limit: Limit) -> bool:
    """Whether whatever `limit` refuses was refused by `other`."""
    counts_all = not other.methods or (bool(limit.methods) and set(limit.methods) <= set(other.methods))
    if (other.per, other.header) != (limit.per, limit.header) or not counts_all:
        return False
    if not other.seconds or not limit.seconds:
        return not other.seconds and not limit.seconds and other.count <= limit.count
    is_slower = other.count * limit.seconds <= limit.count * other.seconds
    return is_slower and _burst(other) <= _burst(limit)


def _burst(limit: Limit) -> int:
    return limit.count if limit.burst is None else limit.burst + 1
