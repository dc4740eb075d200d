"""Paths of routes that need a mount of their own: those with settings, and those that others would shadow.

Patterns are inside the mount of their common prefix, in the order in which the app tries its routes; a route
without settings that comes before one with them gets a pattern, too, so that it keeps the site's settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.plan import decisions
from portico.plan.app_servers.chosen import app_server, common_features
from portico.site.facts import Route
from portico.site.model import Routed, Site
from portico.site.overlap.methods import is_hidden
from portico.site.overlap.segments import may_meet
from portico.site.pattern import below_slashes, escape, head, is_fixed, plain


class RoutePath(Struct, frozen=True):
    """One pattern of paths that needs a mount: with the settings of a route, or None for those of the site."""

    rule: str
    pattern: str
    rank: tuple[int, ...]
    routed: Routed | None
    keeps: bool = True
    """Whether the cache takes part."""
    is_bare: bool = False
    """Whether it is the path of a route without its trailing slash."""

    @property
    def head(self) -> str:
        return head(self.pattern)

    @property
    def why(self) -> str:
        if self.is_bare:
            return f"the gateway would redirect by itself to {self.rule}/, and make a GET of a POST: the app decides"
        if self.routed:
            return f"the route {self.rule} has settings of its own"
        return f"the route {self.rule} comes before one with settings of its own, and has none"

    @property
    def cause(self) -> str:
        return "; ".join(self.routed.causes.values()) if self.routed else decisions.ROUTES


def route_paths(site: Site) -> list[RoutePath]:
    """Every pattern that needs a location, in the order in which the app tries them."""
    found = {
        item.pattern: RoutePath(item.rule, item.pattern, item.rank, item if item.causes else None)
        for item in site.routed
    }
    others = [
        route
        for route in site.facts.routes
        if found and _is_plain(route) and route.pattern not in found and not is_hidden(route, site.facts)
    ]
    for item in list(found.values()):
        for route in others:
            if (route.rank,) < item.rank < (_OWN_RULES,) and _may_take(route, item):
                spot = RoutePath(route.rule, route.pattern, (route.rank,), None)
                found[route.pattern] = min(spot, found.get(route.pattern, spot), key=lambda one: one.rank)
    made = sorted(found.values(), key=lambda spot: (spot.rank, spot.rule))
    return made + list(_bare(made))


def _is_plain(route: Route) -> bool:
    """Whether the route may answer paths that others have settings for; a WebSocket's never does."""
    return bool(route.pattern) and not route.websocket


def _bare(found: list[RoutePath]) -> Iterator[RoutePath]:
    """Paths without the trailing slash of an exact location: the gateway would redirect those by itself."""
    fixed = {head(spot.pattern): spot for spot in found if is_fixed(spot.pattern)}
    for path, spot in fixed.items():
        if path.endswith("/") and path != "/" and path[:-1] not in fixed:
            yield bare(path, found, spot.rank)


def bare(path: str, found: Iterable[RoutePath], rank: tuple[int, ...] = ()) -> RoutePath:
    """The path without its trailing slash, for the app to answer; `found` are the patterns that it may match."""
    path = path[:-1]
    taken = (spot for spot in found if not spot.is_bare and re.fullmatch(spot.pattern, path))
    routed = next((spot.routed for spot in taken), None)
    return RoutePath(path, escape(path), rank, routed, is_bare=True)


def doubled(site: Site, found: list[RoutePath]) -> list[RoutePath]:
    """The same below a path that begins with repeated slashes, which Werkzeug treats as one.

    Nothing is cached there: a purge of the path is enough.
    """
    if site.facts.router in _NOT_WERKZEUG or not any(spot.routed for spot in found):
        return []
    inside = [
        replace(spot, pattern=below_slashes(spot.pattern), keeps=False) for spot in found if not spot.is_bare
    ]
    return sorted(inside, key=lambda spot: not is_fixed(spot.pattern.replace("//+", "/", 1)))


_NOT_WERKZEUG = ("django", "pyramid", "starlette")
"""Frameworks of which it is known; any other ASGI app may be Quart's, and a server elsewhere anything."""
_OWN_RULES = 1 << 20
"""From this rank on, a rule is one of [routes] that is not one of the app's: it matches the app's, none comes
before it.
"""


def _may_take(route: Route, spot: RoutePath) -> bool:
    """Whether the route, which the app tries earlier, can match a path of the spot."""
    if is_fixed(spot.pattern):
        return False  # an exact location wins; it stands only for what the app answers there
    if is_fixed(route.pattern):
        return re.fullmatch(spot.pattern, head(route.pattern)) is not None
    return may_meet(route.pattern, plain(spot.pattern))


def families(found: list[RoutePath]) -> dict[str, list[RoutePath]]:
    """The patterns by their common prefix: nginx looks only into the longest matching prefix.

    The prefix has no trailing slash: the gateway would redirect the path without it to the one with it.
    """
    patterns = [spot for spot in found if not is_fixed(spot.pattern)]
    made: dict[str, list[RoutePath]] = {}
    last = ""
    for spot in sorted(patterns, key=lambda spot: _family(spot)):
        if not last or not spot.head.startswith(last):
            last = _family(spot)
        made.setdefault(last, []).append(spot)
    return {text: [spot for spot in patterns if spot in members] for text, members in made.items()}


def _family(spot: RoutePath) -> str:
    return spot.head.rstrip("/") or "/"


def impossible(site: Site) -> list[Problem]:
    """Settings of routes that only Portico's own worker, on this machine, supports."""
    if Feature.UPLOADS in common_features(site):
        return []
    why, hint = "only Portico's own workers take the file of an upload", "run the app with Gunicorn"
    if Feature.ASGI in app_server(site).features:
        hint = "serve the app behind nginx"
    if site.servers:
        why, hint = (
            "the file is on this machine: a server elsewhere would get no body",
            "run the app here alone",
        )
    return [
        Problem(
            item.causes.get("upload_to_file", "routes").partition(": ")[0],
            f"{item.rule}: upload_to_file: {why}",
            f"remove it, or {hint}",
        )
        for item in site.routed
        if item.edge.upload_to_file
    ]
