"""Routes whose answers are cached for a time of their own, even without the app's consent: `@edge.cache` and
[routes].
"""

from __future__ import annotations

from collections.abc import Iterable

from portico.plan.gateway.nginx.app.link import dialect
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries, time
from portico.plan.web.access import ByPath
from portico.plan.web.app.cache import STATUSES_OF_ROUTES, Cache, CachedRoute, VariesBy
from portico.plan.web.files.statics import PRIVATE
from portico.plan.web.model import Web


def fills(web: Web) -> str:
    """The variable that is 1 in a route that is cached."""
    return variable(web, "fills")


def route_maps(web: Web, cache: Cache) -> list[Directive]:
    """At http level: the Cache-Control of cached answers for other caches, one map a time."""
    times, closed = sorted({route.seconds for route in cache.cached_routes}), web.access.closed
    why = (
        "what a stored answer tells caches, unless the app sets the header itself: other caches may store it "
        "so long, browsers ask again each time, so that a purge is seen at once"
    )
    source = "$upstream_http_set_cookie$http_authorization$upstream_http_expires$upstream_http_cache_control"
    made = [
        entries(
            "map", source, _control(web, seconds),
            table=[("default", ""), ("", _shared(web, seconds) if closed else _public(seconds))], why=why,
        )
        for seconds in times
    ]  # fmt: skip
    if closed:
        made += [_not_for_others(web, closed, seconds) for seconds in times]
    return made + [
        _odd_cookie(web, name)
        for name in sorted({name for route in cache.cached_routes for name in route.cookies})
    ]


def _not_for_others(web: Web, closed: ByPath[bool], seconds: float) -> Directive:
    why = "where access is restricted, no other cache stores an answer: it would not check the access"
    return by_path(web, f"shared_{seconds:.0f}", closed, {True: PRIVATE}, why, nothing=_public(seconds))


def _public(seconds: float) -> str:
    return f"public, max-age=0, s-maxage={seconds:.0f}"


def _shared(web: Web, seconds: float) -> str:
    return variable(web, f"shared_{seconds:.0f}")


def _odd_cookie(web: Web, name: str) -> Directive:
    """nginx takes the first cookie of a name regardless of case, also after a comma; an app may not.

    nginx treats an empty cookie as none.
    """
    any_of_it = rf"(?:^|[;,])\s*{name}\s*="
    return entries(
        "map", "$http_cookie", _odd(web, name),
        table=[("default", "0"), ("", "0"), (f"~*{any_of_it}.*{any_of_it}", "1"), (f"~(?:^|;) *{name}=[^;]", "0"),
               (f"~*{any_of_it}", "1")],
        why="1 where the app may see another cookie than nginx: no other client gets that answer",
    )  # fmt: skip


def _odd(web: Web, name: str) -> str:
    return variable(web, f"odd_cookie_{name}")


def keep_route(web: Web, route: CachedRoute, key: str, never: list[str], stale: list[str]) -> list[Directive]:
    """In the route's location: what is cached, for how long, and that one request at a time fetches it."""
    link, cause, seconds = dialect(web), route.cause, route.wait_seconds
    made = [
        directive(
            "set", fills(web), "1", why="the app makes the whole answer, for which others wait", cause=cause,
        ),
        directive(
            f"{link}_cache_valid", *STATUSES_OF_ROUTES, time(route.seconds),
            why="stored so long, unless the app sets a time itself", cause=cause,
        ),
        directive(
            f"{link}_no_cache", *never, *(_odd(web, name) for name in route.cookies),
            why="stored without a mark of the app's, but never against the app's own headers", cause=cause,
        ),
        directive(
            f"{link}_cache_use_stale", "updating", *stale,
            why="while nginx fetches a new answer, or when the app fails, all clients get the last one", cause=cause,
        ),
        directive(f"{link}_cache_lock", "on", why="when many clients ask at once, only one request reaches "
        "the app", cause=cause),
        directive(
            f"{link}_cache_lock_timeout", time(seconds),
            why="a request that has waited as long as the app may take goes to the app itself", cause=cause,
        ),
        directive(
            f"{link}_cache_lock_age", time(seconds),
            why="when that request has taken as long as it may, the next one goes to the app", cause=cause,
        ),
        directive(
            "add_header", "Cache-Control", _control(web, route.seconds),
            why="tells other caches; empty, and so not sent, when the app sets the header or a cookie", cause=cause,
        ),
    ]  # fmt: skip
    if not route.vary:
        return made
    why, said = "the answer depends on these, beside the URL", route.vary_cause
    return [
        *made,
        directive(f"{link}_cache_key", key + "".join(map(_of_key, route.vary)), why=why, cause=said),
        directive(
            "add_header",
            "Vary",
            ", ".join(_headers(route.vary)),
            why="other caches must keep them apart, too",
            cause=said,
        ),
    ]


def _control(web: Web, seconds: float) -> str:
    return variable(web, f"keep_{seconds:.0f}")


def _of_key(by: VariesBy) -> str:
    if by.is_cookie:
        return f" cookie:{by.name}=$cookie_{by.name}"
    return f" {by.name.lower()}=$http_{by.name.lower().replace('-', '_')}"


def _headers(vary: Iterable[VariesBy]) -> list[str]:
    return list(dict.fromkeys("Cookie" if by.is_cookie else by.name for by in vary))
