"""Routes of the app under a static URL. A route that the app tries before its folder stays the app's.

A fixed route is an exact match. A route with a placeholder is a pattern that is tried before a file is looked for,
so that the folder keeps every other path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.plan.web.routes import RoutePath
from portico.site.facts import Route, StaticFolder
from portico.site.model import Site
from portico.site.pattern import ANYTHING, escape, head, is_fixed, is_of_folder

_ORDERED = ("flask", "pyramid", "starlette")
"""Frameworks with a route for each folder, so that their own order decides. Elsewhere the more specific one wins."""


def exact_inside(site: Site, folders: Iterable[StaticFolder]) -> list[str]:
    """Fixed paths of the app under a static URL."""
    found = {
        head(route.pattern)
        for folder in folders
        for route in _before(site, folder)
        if is_fixed(route.pattern) and head(route.pattern).startswith(folder.url)
    }
    return sorted(found)


def patterns_inside(site: Site, folder: StaticFolder, found: Iterable[RoutePath]) -> list[RoutePath]:
    """Patterns that may match a path of the folder, in the order in which the app tries them.

    `found` are the routes that have a mount anyway, with their settings.
    """
    known = {spot.pattern: spot for spot in found}
    made = {
        route.pattern: known.get(route.pattern) or RoutePath(route.rule, route.pattern, (route.rank,), None)
        for route in _before(site, folder)
        if not is_fixed(route.pattern)
    }
    return sorted(made.values(), key=lambda spot: (spot.rank, spot.rule))


def _before(site: Site, folder: StaticFolder) -> Iterator[Route]:
    """The routes that win over the folder."""
    others = {one.url for one in site.static} | {one.url for one in site.left}
    others.discard(folder.url)
    routes = [
        route
        for each in site.facts.routes
        if (route := _as_pattern(each, folder)) is not None
        and not any(is_of_folder(route.pattern, url) for url in others)
    ]
    own = min((route.rank for route in routes if is_of_folder(route.pattern, folder.url)), default=None)
    is_ordered = own is not None and site.facts.router in _ORDERED and folder not in site.declared
    for route in routes:
        begins = head(route.pattern)
        is_inside = begins.startswith(folder.url) and not is_of_folder(route.pattern, folder.url)
        if is_ordered and own is not None:
            is_inside = route.rank < own and (is_inside or folder.url.startswith(begins))
        if is_inside:
            yield route


def _as_pattern(route: Route, folder: StaticFolder) -> Route | None:
    """The route; one without a pattern stands for everything below its fixed part, if that is inside the folder."""
    if route.pattern:
        return route
    fixed, _, more = route.rule.partition("<")
    if fixed == folder.url or not fixed.startswith(folder.url):
        return None
    text = escape(fixed) + (ANYTHING if more else "")
    return Route(route.rule, route.methods, route.endpoint, pattern=text, rank=route.rank)
