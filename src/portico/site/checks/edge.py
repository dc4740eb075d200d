"""Rules for the settings of a route, beyond their types."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.site.checks.headers import broken_headers, has_https
from portico.site.checks.limits import broken_limits
from portico.site.checks.rule import LARGEST, LONGEST_TIMEOUT, BrokenRule
from portico.site.options import Options
from portico.site.options.edge import Edge

_LONGEST_CACHE = 365 * 86400
_VARY = re.compile(r"[A-Za-z0-9-]+|cookie:[A-Za-z0-9_]+")


def broken_edge(edge: Edge, options: Options) -> Iterator[BrokenRule]:
    """Every rule that the settings of one route break."""
    if edge.timeout is not None and not 1 <= edge.timeout <= LONGEST_TIMEOUT:
        yield BrokenRule("timeout", f"timeout: {edge.timeout} is out of range", "expected 1s to 1h")
    if edge.max_upload is not None and not 1 <= edge.max_upload <= LARGEST:
        yield BrokenRule(
            "max_upload", f"max_upload: {edge.max_upload} is out of range", "expected 1B to 1024GiB"
        )
    for name, what, hint in broken_headers(edge.headers, has_https=has_https(options)):
        yield BrokenRule("headers", f"headers: {name} {what}", hint)
    yield from _broken_cache(edge)
    yield from broken_limits(edge)


def _broken_cache(edge: Edge) -> Iterator[BrokenRule]:
    if edge.cache is None:
        if edge.vary:
            yield BrokenRule(
                "vary", "vary names what a cached answer depends on, but the route has no cache", "add cache"
            )
        return
    if not 1 <= edge.cache <= _LONGEST_CACHE:
        yield BrokenRule("cache", f"cache: {edge.cache} is out of range", "expected 1s to 365d")
    if edge.private or edge.stream:
        other = "private" if edge.private else "stream"
        yield BrokenRule("cache", f"cache and {other} exclude each other", "remove one of them")
    for name in edge.vary:
        if not _VARY.fullmatch(name):
            hint = (
                "expected a request header such as Accept-Language, or cookie:NAME with letters, digits and _"
            )
            yield BrokenRule("vary", f'vary: "{name}" is neither a header nor a cookie', hint)
