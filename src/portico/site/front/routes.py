"""The paths that a route of the app answers, as a pattern without captures that Python and nginx read alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

from portico.site.facts import Route

_CONVERTER = re.compile(r"<(?:(?P<kind>[A-Za-z_][A-Za-z0-9_.]*)(?:\([^<>]*\))?:)?[A-Za-z_][A-Za-z0-9_]*>")
_ONE = ("", "default", "string", "int", "float", "any", "uuid", "slug", "str")
_OTHER = re.compile(r"[<{^(\[*]")
"""The start of a pattern in another syntax: Django's regular expressions, Pyramid's {name} and *rest."""


def pattern(rule: str) -> str:
    """The pattern of the rule's whole paths; it matches more rather than less if there is no exact one."""
    made, at = "", 0
    for found in _CONVERTER.finditer(rule):
        made += re.escape(rule[at : found.start()])
        kind = (found["kind"] or "").rpartition(".")[2]
        made += "[^/]+" if kind in _ONE else ".+"
        at = found.end()
    rest = rule[at:]
    if other := _OTHER.search(rest):
        return f"{made}{re.escape(rest[: other.start()])}.*"
    made += re.escape(rest)
    return f"{made}?" if made.endswith("/") and made != "/" else made


def of_route(route: Route) -> str:
    """The pattern of a route, taken from the app's own if there is one."""
    return route.pattern or pattern(route.rule)


def claims(routes: Iterable[Route], path: str) -> bool:
    """Whether a route of the app answers that path."""
    return any(re.fullmatch(of_route(route), path) for route in routes)
