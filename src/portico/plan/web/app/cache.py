"""Which answers of the app the gateway stores, for how long, and which it never stores.

It stores what the app marks for everybody (`public`, `s-maxage`) unless another word of the app forbids it, and the
answers of routes with a time of their own, also when the app says nothing. It never stores the answer to a request
with a body or with credentials, one that sets a cookie, and one that depends on more than its request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portico.plan.appserver.kind import Feature, common_features
from portico.plan.model import Ladder
from portico.plan.web.ability import Ability
from portico.site.model import Routed, Site
from portico.site.pattern import escape

STATUSES = (200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 410)
"""Of what the app marks: full answers, redirects, and pages that are not there. A header of one client may have caused
any other: a part (206, 416), the result of a condition (304, 412), an error."""
STATUSES_OF_ROUTES = (200, 301, 308)
"""Of routes with a time of their own, where the app says no time."""
FORBIDDING = ("private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate", '"')
"""Words of Cache-Control, CDN-Cache-Control and Surrogate-Control. A quote may hide anything; `must-revalidate` and
`proxy-revalidate` forbid a stale answer, which is sent when the app fails."""
TAG_HEADERS = ("Surrogate-Key", "Cache-Tag")
"""Where an app names the tags of an answer, for `portico purge`."""
UNUSED_SECONDS = 3600
"""An entry that nobody asked for in this time is removed."""
_COOKIE = "cookie:"


@dataclass(frozen=True)
class VariesBy:
    """What the answers of a route depend on, beside the URL: a header or a cookie of the request."""

    name: str
    is_cookie: bool = False


@dataclass(frozen=True)
class CachedRoute:
    """A route whose answers are stored for a time of its own.

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


@dataclass(frozen=True)
class Cache:
    """The answers that are stored, one for each scheme, host and URL."""

    size: int
    """Bytes of all entries; beyond, the least used ones are removed."""
    size_cause: str
    item: int
    """Bytes of the largest entry."""
    item_cause: str
    routes: Mapping[str, CachedRoute | None]
    """By the pattern of the route, where it differs from the site; None: nothing of it is stored."""
    protected: tuple[str, ...] = ()
    """Paths of which nothing is stored, as regular expressions (PCRE): the framework marks them public all the same,
    and other code of the app may protect them."""

    @property
    def cached_routes(self) -> list[CachedRoute]:
        """The routes with a time of their own."""
        return [route for route in self.routes.values() if route]


def cache(site: Site, abilities: frozenset[Ability]) -> Cache | None:
    """What is stored; None for nothing at all."""
    size = site.options.cache.size
    if not size or not _reads_every_line(site, abilities):
        return None
    return Cache(
        size=int(size),
        size_cause=site.cause("cache.size"),
        item=int(site.options.cache.item),
        item_cause=site.cause("cache.item"),
        routes=_routes(site),
        # Werkzeug takes several slashes at the beginning for one.
        protected=tuple(
            f"^{escape(site.prefix)}/+{pattern.removeprefix('/')}$" for pattern in site.facts.never_kept
        ),
    )


def _reads_every_line(site: Site, abilities: frozenset[Ability]) -> bool:
    """Else an answer that varies by a second line of its head would reach other clients."""
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
