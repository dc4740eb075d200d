"""Which answers of the app the gateway caches, for how long, and which it never caches.

It caches what the app marks as public (`public`, `s-maxage`) unless another directive of the app forbids it, and
the answers of routes with a time of their own, even if the app sets nothing. It never caches the answer to a
request with a body or credentials, one that sets a cookie, or one that depends on more than its request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.plan.app_servers.chosen import common_features
from portico.plan.subjects import Ladder
from portico.plan.web.ability import Ability
from portico.site.model import Routed, Site
from portico.site.pattern import escape

STATUSES = (200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 410)
"""Statuses that are cached if the app marks them: full answers, redirects, and 404. The headers of one client may
have caused any other: a part (206, 416), the result of a condition (304, 412), an error.
"""
STATUSES_OF_ROUTES = (200, 301, 308)
"""Statuses of routes with a time of their own, if the app sets no time."""
FORBIDDING = ("private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate", '"')
"""Directives of Cache-Control, CDN-Cache-Control and Surrogate-Control. A quote may hide anything;
`must-revalidate` and `proxy-revalidate` forbid a stale answer, which would be sent when the app fails.
"""
TAG_HEADERS = ("Surrogate-Key", "Cache-Tag")
"""The header in which an app names the tags of an answer, for `portico purge`."""
UNUSED_SECONDS = 3600
"""An entry without a request in this time is removed."""
_COOKIE = "cookie:"


class VariesBy(Struct, frozen=True):
    """What a route's answers depend on beside the URL: a header or a cookie of the request."""

    name: str
    is_cookie: bool = False


class CachedRoute(Struct, frozen=True):
    """A route whose answers are cached for a time of their own.

    One request at a time fetches an answer; meanwhile the others get the stale one, or wait.
    """

    seconds: float
    cause: str
    wait_seconds: float
    """How long the others wait before each goes to the app."""
    vary: tuple[VariesBy, ...] = ()
    vary_cause: str = ""

    @property
    def cookies(self) -> list[str]:
        """The cookies that the answers depend on."""
        return [each.name for each in self.vary if each.is_cookie]


class Cache(Struct, frozen=True):
    """The cache: one entry for each scheme, host and URL."""

    size: int
    """The maximum size in bytes; the least recently used entries are removed first."""
    size_cause: str
    item: int
    """The maximum size of an entry in bytes."""
    item_cause: str
    routes: Mapping[str, CachedRoute | None]
    """By the pattern of the route, if it differs from the site; None: not cached."""
    protected: tuple[str, ...] = ()
    """Paths that are never cached, as regular expressions (PCRE): the framework marks them public, but other code
    of the app may protect them.
    """

    @property
    def cached_routes(self) -> list[CachedRoute]:
        """The routes with a time of their own."""
        return [route for route in self.routes.values() if route]


def cache(site: Site, abilities: frozenset[Ability]) -> Cache | None:
    """The cache; None without one."""
    size = site.options.cache.size
    if not size or Ability.CACHE not in abilities or not _reads_every_line(site, abilities):
        return None
    return Cache(
        size=int(size),
        size_cause=site.cause("cache.size"),
        item=int(site.options.cache.item),
        item_cause=site.cause("cache.item"),
        routes=_routes(site),
        # Werkzeug treats repeated slashes at the start as one.
        protected=tuple(
            f"^{escape(site.prefix)}/+{pattern.removeprefix('/')}$" for pattern in site.facts.never_kept
        ),
    )


def _reads_every_line(site: Site, abilities: frozenset[Ability]) -> bool:
    """Otherwise an answer that varies by a second line of a header could reach other clients."""
    return Ability.EVERY_LINE in abilities or Feature.ONE_LINE in common_features(site)


def _routes(site: Site) -> dict[str, CachedRoute | None]:
    return {
        item.pattern: None if item.edge.private or item.edge.stream else _kept(site, item)
        for item in site.routed
        if item.edge.private or item.edge.stream or item.edge.cache is not None
    }


def _kept(site: Site, routed: Routed) -> CachedRoute | None:
    edge, cause = routed.edge, routed.causes.get("cache", "")
    if edge.cache is None:
        return None
    return CachedRoute(
        seconds=float(edge.cache),
        cause=cause,
        wait_seconds=Ladder.of(edge.timeout or site.options.request_timeout).read_seconds,
        vary=_vary(edge.vary),
        vary_cause=routed.causes.get("vary", cause),
    )


def _vary(names: Iterable[str]) -> tuple[VariesBy, ...]:
    return tuple(VariesBy(name.removeprefix(_COOKIE), name.startswith(_COOKIE)) for name in names)
