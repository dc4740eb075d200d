"""Routes that need a location of their own: those with settings, and those that others would shadow.

nginx tries locations in its own order. Patterns are therefore nested in the location of their common prefix, in the
order in which the app tries its routes; a route without settings that comes before one with them gets a pattern, too,
so that it keeps the site's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portico.plan import decisions
from portico.plan.gateway.nginx.app.cache import key, never, no_cache, stale, use_cache
from portico.plan.gateway.nginx.app.cache_routes import keep_route
from portico.plan.gateway.nginx.app.link import dialect, silence
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.paths import Paths
from portico.plan.subjects import Ladder
from portico.plan.web.app.link import RouteFact
from portico.plan.web.model import Web
from portico.plan.web.routing.model import Route
from portico.site.model import Routed
from portico.site.options.edge import Edge
from portico.site.routing import ToServer
from portico.values import bandwidth

STREAM_SECONDS = 3600
"""The longest silence of a stream: as for a WebSocket, an hour is longer than a lunch break."""


def settings(web: Web, routed: Routed | None, *, may_be_silent: bool = False) -> list[Directive]:
    """The nginx settings of this route; timeouts only if silence is a failure."""
    if routed is None:
        return []
    wanted = _SETTINGS if may_be_silent else (_silence, *_SETTINGS)
    return [made for write in wanted for made in write(web, routed)]


def carriers(web: Web) -> dict[str, Routed]:
    """The routes whose settings apply in named locations, too, by the suffix of their locations' names."""
    return {f"_{at}": item for at, item in enumerate(web.routed) if _is_carried(web, item)}


def way(web: Web) -> str:
    """The suffix of a named location's name, if routes have their own."""
    return _route(web) if _has_ways(web) else ""


def ruled(web: Web) -> dict[str, Route]:
    """The rules that send requests to servers, by the suffix of their named locations."""
    return {
        f"_r{one.rule.number}": one for one in web.routing.passed if isinstance(one.rule.target, ToServer)
    }


def ruled_way(web: Web, one: Route) -> list[Directive]:
    """Starts the location of a rule, before a request may leave it."""
    why = "what leaves this location goes on to the target of its rule"
    return [
        directive("set", _route(web), name, why=why, cause=one.rule.cause)
        for name, item in ruled(web).items()
        if item is one
    ]


def _has_ways(web: Web) -> bool:
    return bool(carriers(web) or ruled(web))


def _route(web: Web) -> str:
    """The variable that distinguishes the named locations of routes: empty for the site's own."""
    return variable(web, "route")


def chosen_way(web: Web, routed: Routed | None) -> list[Directive]:
    """Starts the location of a route, before a request may leave it."""
    why = "what leaves this location keeps the settings of its route"
    return [
        directive("set", _route(web), name, why=why, cause=decisions.ROUTES)
        for name, item in carriers(web).items()
        if item is routed
    ]


def _is_carried(web: Web, item: Routed) -> bool:
    if item.pattern in web.chains.routes:
        return True
    edge = item.edge
    sizes = edge.max_upload is not None or edge.upload_to_file
    has_own = sizes or edge.timeout is not None or edge.headers or edge.bandwidth
    return bool(edge.private or edge.stream or has_own)


def kept(web: Web, routed: Routed | None) -> list[Directive]:
    """What the cache does in this location."""
    cache = web.cache
    if cache is None:
        return []
    if routed is None or routed.pattern not in cache.routes:
        return [use_cache(web)]
    route = cache.routes[routed.pattern]
    if route is None:
        return [no_cache(web)]
    return [use_cache(web), *keep_route(web, route, key(web), never(web), stale(web))]


def told_by_routes(web: Web) -> list[Directive]:
    """At server level: the variables by which a route's settings reach the worker and named locations."""
    made = []
    if _has_ways(web):
        why = "a route with settings sets it: its requests keep them in the named locations"
        made.append(directive("set", _route(web), "", why=why, cause=decisions.ROUTES))
    if RouteFact.DEADLINE in web.link.of_routes:
        why = "a route with a time of its own sets it; the worker takes it for its deadline"
        made.append(directive("set", variable(web, "deadline"), "", why=why, cause=decisions.TIMES))
    if RouteFact.STREAM in web.link.of_routes:
        why = "a route that streams sets it; the worker gives its requests threads of their own"
        made.append(directive("set", variable(web, "stream"), "", why=why, cause=decisions.ROUTES))
    if RouteFact.UPLOAD in web.link.of_routes:
        why = "a route that wants its uploads as files sets it"
        made.append(directive("set", variable(web, "upload"), "", why=why, cause=decisions.ROUTES))
    if RouteFact.PRIVATE in web.link.of_routes:
        why = "a private route sets it; the worker sends the same header with its files"
        made.append(directive("set", variable(web, "private_route"), "", why=why, cause=decisions.ROUTES))
    return made


def upload_map(web: Web) -> list[Directive]:
    """At http level: the file of a request body, looked up when the body is complete, and only for routes that want
    it.
    """
    if RouteFact.UPLOAD not in web.link.of_routes:
        return []
    if web.hides_bodies:
        why = "nginx's files are its own user's: the worker writes its own here, on routes that asked for one"
        table = [("default", ""), ("1", f"{Paths.of(web.place).uploads}/")]
        return [entries("map", variable(web, "upload"), variable(web, "upload_file"), table=table, why=why)]
    why = "any larger body is in a file; only a route that asked for it gets its name"
    table = [("default", ""), ("1", "$request_body_file")]
    return [entries("map", variable(web, "upload"), variable(web, "upload_file"), table=table, why=why)]


def private_map(web: Web) -> list[Directive]:
    """At http level: the Cache-Control of a private route's answers, unless the app sets its own."""
    if not any(item.edge.private for item in web.routed):
        return []
    why = "Cache-Control of private routes: no cache stores the answer, unless the app sets the header itself"
    table = [("default", ""), ("", "private, no-store")]
    return [entries("map", "$upstream_http_cache_control", variable(web, "private"), table=table, why=why)]


def _silence(web: Web, routed: Routed) -> Iterator[Directive]:
    seconds = _seconds(routed.edge)
    if seconds is not None:
        yield from silence(web, seconds, cause=_cause_of_time(routed))


def _deadline(web: Web, routed: Routed) -> Iterator[Directive]:
    seconds = _seconds(routed.edge)
    if seconds is not None and RouteFact.DEADLINE in web.link.of_routes:
        text, why = f"{Ladder.of(seconds).deadline_seconds:g}", "the worker waits a second longer than nginx"
        yield directive("set", variable(web, "deadline"), text, why=why, cause=_cause_of_time(routed))


def _cause_of_time(routed: Routed) -> str:
    return routed.causes.get("timeout" if routed.edge.timeout is not None else "stream", "")


def _seconds(edge: Edge) -> float | None:
    if edge.timeout is not None:
        return edge.timeout
    return STREAM_SECONDS if edge.stream else None


def _max_upload(_web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.max_upload is not None:
        yield directive(
            "client_max_body_size", int(routed.edge.max_upload), why="the largest upload of this route; more is 413",
            cause=routed.causes.get("max_upload", ""),
        )  # fmt: skip


def _bandwidth(_web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.bandwidth:
        yield directive(
            "limit_rate", int(bandwidth(routed.edge.bandwidth)), why="bytes a second of each answer of this route",
            cause=routed.causes.get("bandwidth", ""),
        )  # fmt: skip


def _stream(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.stream:
        cause = routed.causes.get("stream", "")
        if RouteFact.STREAM in web.link.of_routes:
            yield directive("set", variable(web, "stream"), 1, why="tells the worker", cause=cause)
        yield directive(
            f"{dialect(web)}_buffering", "off", why="the client gets at once what the app yields", cause=cause
        )
        yield directive("gzip", "off", why="compression would wait for more", cause=cause)


def _private(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.private:
        if RouteFact.PRIVATE in web.link.of_routes:
            why, cause = "tells the worker", routed.causes.get("private", "")
            yield directive("set", variable(web, "private_route"), 1, why=why, cause=cause)
        yield directive(
            "add_header", "Cache-Control", variable(web, "private"), "always",
            why="no cache stores the answer; empty, and so not sent, when the app sets the header itself",
            cause=routed.causes.get("private", ""),
        )  # fmt: skip


def _upload_to_file(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.upload_to_file:
        cause = routed.causes.get("upload_to_file", "")
        yield directive(
            "set", variable(web, "upload"), 1, why="tells the worker where the body is", cause=cause
        )
        if web.hides_bodies:
            return
        yield directive(
            "client_body_in_file_only", "clean", why="every body of this route is a file, removed after the request",
            cause=cause,
        )  # fmt: skip
        yield directive(
            "uwsgi_pass_request_body", "off", why="the worker opens the file instead", cause=cause
        )


_SETTINGS: tuple[Callable[[Web, Routed], Iterator[Directive]], ...] = (
    _deadline,
    _max_upload,
    _stream,
    _upload_to_file,
    _private,
    _bandwidth,
)
