"""A single-page app: its page answers a browser's navigation to a path that no route and no file answers.

The app is asked first, so that all of its routes work; only a navigation that it answers with 404 gets the page,
and one under a route of the app keeps the app's 404.
"""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.site.front.routes import claims, of_route
from portico.site.model import Site
from portico.site.pattern import escape

_ITSELF = ("/", "/index.html")


class Spa(Struct, frozen=True):
    """The page is `index.html` in `folder`."""

    folder: str
    own_paths: tuple[str, ...]
    """The page's own path, for any client: a service worker that caches it, a monitor, curl."""
    routes: tuple[str, ...]
    """Decoded paths of the app, as regular expressions (PCRE): the app's answers there stay."""
    fence: str
    """The part of the path below which no link is followed; empty: links are followed."""
    cause: str


def spa(site: Site, place: Place) -> Spa | None:
    """The single-page app, or None."""
    if not site.spa:
        return None
    routes = site.facts.routes
    # Werkzeug treats repeated slashes at the start as one.
    rules = [f"/+{rule[1:]}" if rule.startswith("/") else rule for rule in sorted(set(map(of_route, routes)))]
    return Spa(
        folder=site.spa,
        own_paths=tuple(site.prefix + path for path in _ITSELF if not claims(routes, path)),
        routes=tuple(rf"^{escape(site.prefix)}{rule}\z" for rule in rules),
        fence=place.fence(site.spa) if site.reader.user else "",
        cause=site.cause("spa"),
    )
