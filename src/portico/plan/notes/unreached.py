"""Paths in [routes] and `auth` that match no route of the app: usually typing errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from portico.plan.web.model import Web
from portico.site.facts import Route
from portico.site.model import Site
from portico.site.overlap.segments import may_meet
from portico.site.pattern import escape, head, is_fixed, pattern, plain

_TELL_THEIR_ROUTES = ("flask", "django", "pyramid", "starlette")
"""For other apps the list of routes may be incomplete."""


def unreached(web: Web) -> Iterator[str]:
    """A note for each such rule, with the nearest existing route."""
    site = web.site
    routes = site.facts.routes
    if not _tells_its_routes(site):
        return
    for rule in site.options.routes:
        if not _is_reached(rule, site):
            near = get_close_matches(rule, dict.fromkeys(route.rule for route in routes), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            cause = next(
                (by for key, by in site.causes.items() if key.startswith(f"routes.{rule}.")), "routes"
            )
            yield f'{cause}: no route of the app matches "{rule}": its settings apply to nothing{hint}'


def unanswered(web: Web) -> Iterator[str]:
    """A note for each `auth` path that matches no route of the app: every client would be refused."""
    if not _tells_its_routes(web.site):
        return
    for rule in web.site.access:
        asked = rule.check.path.partition("?")[0] if rule.check else ""
        if rule.check and asked and not any(_meets(escape(asked), route) for route in web.site.facts.routes):
            yield f'{rule.check.cause}: no route of the app has the path "{asked}": {rule.what} refuses all clients'


def _tells_its_routes(site: Site) -> bool:
    return site.facts.router in _TELL_THEIR_ROUTES and not site.servers and bool(site.facts.routes)


def _is_reached(rule: str, site: Site) -> bool:
    """Whether a path may match both; in doubt it may."""
    own = {route.rule: route.pattern for route in site.facts.routes}
    regex = own.get(rule) or pattern(rule)
    urls = [*(folder.url for folder in site.static), *(left.url for left in site.left)]
    if any(head(regex).startswith(url) or url.startswith(head(regex)) for url in urls if url != "/"):
        return True
    return rule in own or any(_meets(regex, route) for route in site.facts.routes)


def _meets(regex: str, route: Route) -> bool:
    if not route.pattern:  # nginx cannot know which paths it matches
        return route.rule.startswith(head(regex)) or head(regex).startswith(route.rule.partition("<")[0])
    if is_fixed(regex):
        return re.fullmatch(route.pattern, head(regex)) is not None
    return may_meet(regex, plain(route.pattern))
