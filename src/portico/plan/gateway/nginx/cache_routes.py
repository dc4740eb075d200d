"""Routes that are kept for a time of their own, also when the app says nothing: `@edge.cache` and [routes]."""

from __future__ import annotations

from portico.plan.gateway.nginx.conf import Directive, directive, entries, time
from portico.plan.gateway.nginx.link import dialect
from portico.plan.gateway.nginx.names import variable
from portico.plan.model import Ladder
from portico.plan.web.model import Web
from portico.site.model import Routed

_KEPT = (200, 301, 308)
_COOKIE = "cookie:"


def has_cached_routes(web: Web) -> bool:
    """Whether any route is kept for a time of its own."""
    return any(item.edge.cache is not None for item in web.site.routed)


def fills(web: Web) -> str:
    """The variable that is 1 in a route that is kept."""
    return variable(web, "fills")


def route_maps(web: Web) -> list[Directive]:
    """At http level: what kept answers say to other caches, one map a time."""
    times = sorted({item.edge.cache for item in web.site.routed if item.edge.cache is not None})
    why = (
        "what a stored answer tells caches, unless the app sets the header itself: other caches may store it "
        "so long, browsers ask again each time, so that a purge is seen at once"
    )
    source = "$upstream_http_set_cookie$http_authorization$upstream_http_expires$upstream_http_cache_control"
    made = [
        entries(
            "map", source, _control(web, seconds),
            table=[("default", ""), ("", f"public, max-age=0, s-maxage={seconds:.0f}")], why=why,
        )
        for seconds in times
    ]  # fmt: skip
    return made + [
        _odd_cookie(web, name)
        for name in sorted({name for item in web.site.routed for name in _cookies(item)})
    ]


def _odd_cookie(web: Web, name: str) -> Directive:
    """nginx takes the first cookie of a name in capital or small letters, also one behind a comma; an app may not.

    An empty one is none to nginx.
    """
    any_of_it = rf"(?:^|[;,])\s*{name}\s*="
    return entries(
        "map", "$http_cookie", _odd(web, name),
        table=[("default", "0"), ("", "0"), (f"~*{any_of_it}.*{any_of_it}", "1"), (f"~(?:^|;) *{name}=[^;]", "0"),
               (f"~*{any_of_it}", "1")],
        why="1 where the app may see another cookie than nginx: no other client gets that answer",
    )  # fmt: skip


def _cookies(routed: Routed) -> list[str]:
    return [name.removeprefix(_COOKIE) for name in routed.edge.vary if name.startswith(_COOKIE)]


def _odd(web: Web, name: str) -> str:
    return variable(web, f"odd_cookie_{name}")


def keep_route(web: Web, routed: Routed, key: str, never: list[str], stale: list[str]) -> list[Directive]:
    """In the route's location: what is kept, for how long, and that one request at a time fetches it."""
    edge, link, cause = routed.edge, dialect(web), routed.causes.get("cache", "")
    if edge.cache is None:
        return []
    seconds = Ladder.of(edge.timeout or web.site.options.request_timeout).read_seconds
    made = [
        directive(
            "set", fills(web), "1", why="the app makes the whole answer, for which others wait", cause=cause,
        ),
        directive(
            f"{link}_cache_valid", *_KEPT, time(edge.cache),
            why="stored so long, unless the app sets a time itself", cause=cause,
        ),
        directive(
            f"{link}_no_cache", *never, *(_odd(web, name) for name in _cookies(routed)),
            why="stored without a mark of the app's, but never against the app's own headers", cause=cause,
        ),
        directive(
            f"{link}_cache_use_stale", "updating", *stale,
            why="while nginx fetches a new answer, or when the app fails, everybody gets the last one", cause=cause,
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
            "add_header", "Cache-Control", _control(web, edge.cache),
            why="tells other caches; empty, and so not sent, when the app sets the header or a cookie", cause=cause,
        ),
    ]  # fmt: skip
    if not edge.vary:
        return made
    why, said = "the answer depends on these, beside the URL", routed.causes.get("vary", cause)
    return [
        *made,
        directive(f"{link}_cache_key", key + "".join(map(_of_key, edge.vary)), why=why, cause=said),
        directive(
            "add_header",
            "Vary",
            ", ".join(_headers(edge.vary)),
            why="other caches must keep them apart, too",
            cause=said,
        ),
    ]


def _control(web: Web, seconds: float) -> str:
    return variable(web, f"keep_{seconds:.0f}")


def _of_key(name: str) -> str:
    if name.startswith(_COOKIE):
        return f" {name}=$cookie_{name.removeprefix(_COOKIE)}"
    return f" {name.lower()}=$http_{name.lower().replace('-', '_')}"


def _headers(vary: list[str]) -> list[str]:
    return list(dict.fromkeys("Cookie" if name.startswith(_COOKIE) else name for name in vary))
