"""Routes that need a location of their own: those with settings, and those that others would swallow.

nginx tries locations in an order of its own. Patterns are therefore nested in the location of what all of their paths
begin with, in the order in which the app tries its routes; a route without settings that comes before one with them
gets a pattern too, so that it keeps the site's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from portico.errors import Problem
from portico.plan import decisions
from portico.plan.gateway.nginx.cache import NEVER, caches, key, no_cache, stale, use_cache
from portico.plan.gateway.nginx.cache_routes import keep_route
from portico.plan.gateway.nginx.conf import Directive, directive, entries
from portico.plan.gateway.nginx.link import dialect, silence
from portico.plan.gateway.nginx.uwsgi_link import has_deadlines, has_private, has_streams, has_uploads
from portico.plan.model import Ladder
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.site.methods import is_hidden
from portico.site.model import Edge, Route, Routed
from portico.site.pattern import below_slashes, escape, head, is_fixed, plain
from portico.site.segments import may_meet
from portico.values import Size

STREAM_SECONDS = 3600
"""How long a stream may be silent: as a WebSocket, an hour outlives a lunch break."""
_PRIVATE = "$portico_private"
ROUTE = "$portico_route"
"""Tells apart the named locations of routes: empty for the site's own."""


@dataclass(frozen=True)
class Spot:
    """One pattern in a location: the route's settings, or None for the site's."""

    rule: str
    pattern: str
    rank: tuple[int, ...]
    routed: Routed | None
    keeps: bool = True
    """Whether the cache takes part."""
    is_bare: bool = False
    """Whether it is the path of a route without its slash."""

    @property
    def head(self) -> str:
        return head(self.pattern)

    @property
    def why(self) -> str:
        if self.is_bare:
            return (
                f"nginx would redirect by itself to {self.rule}/, and make a GET of a POST: the app decides"
            )
        if self.routed:
            return f"the route {self.rule} has settings of its own"
        return f"the route {self.rule} comes before one with settings of its own, and has none"

    @property
    def cause(self) -> str:
        return "; ".join(self.routed.causes.values()) if self.routed else decisions.ROUTES


def spots(web: Web) -> list[Spot]:
    """Every pattern that needs a location, in the order in which the app tries them."""
    found = {
        item.pattern: Spot(item.rule, item.pattern, item.rank, item if item.causes else None)
        for item in web.site.routed
    }
    others = [
        route
        for route in web.site.facts.routes
        if found and _is_plain(route) and route.pattern not in found and not is_hidden(route, web.site.facts)
    ]
    for item in list(found.values()):
        for route in others:
            if (route.rank,) < item.rank < (_OWN_RULES,) and _may_take(route, item):
                spot = Spot(route.rule, route.pattern, (route.rank,), None)
                found[route.pattern] = min(spot, found.get(route.pattern, spot), key=lambda one: one.rank)
    made = sorted(found.values(), key=lambda spot: (spot.rank, spot.rule))
    return made + list(_bare(made))


def _is_plain(route: Route) -> bool:
    """Whether the route may answer what others have settings for; a WebSocket's never does."""
    return bool(route.pattern) and not route.websocket


def _bare(found: list[Spot]) -> Iterator[Spot]:
    """Paths without the slash that an exact location ends with: nginx answers those by a redirect of its own."""
    fixed = {head(spot.pattern): spot for spot in found if is_fixed(spot.pattern)}
    for path, spot in fixed.items():
        if path.endswith("/") and path != "/" and path[:-1] not in fixed:
            yield bare(path, found, spot.rank)


def bare(path: str, found: Iterable[Spot], rank: tuple[int, ...] = ()) -> Spot:
    """The path without the slash at its end, for the app to answer; `found` are the patterns it may be of."""
    path = path[:-1]
    taken = (spot for spot in found if not spot.is_bare and re.fullmatch(spot.pattern, path))
    routed = next((spot.routed for spot in taken), None)
    return Spot(path, escape(path), rank, routed, is_bare=True)


def doubled(web: Web, found: list[Spot]) -> list[Spot]:
    """The same below a path that begins with several slashes, which Werkzeug takes for one.

    Nothing is kept there: a purge of the path is enough.
    """
    if web.site.facts.kind not in _WERKZEUG or not any(spot.routed for spot in found):
        return []
    inside = [
        replace(spot, pattern=below_slashes(spot.pattern), keeps=False) for spot in found if not spot.is_bare
    ]
    return sorted(inside, key=lambda spot: not is_fixed(spot.pattern.replace("//+", "/", 1)))


_WERKZEUG = ("flask", "wsgi")
"""Apps that are made with it, or may be."""
_OWN_RULES = 1 << 20
"""From here on a rank is one of [routes] that is no rule of the app's: it covers the app's, none comes before it."""


def _may_take(route: Route, spot: Spot) -> bool:
    """Whether the route, which the app tries earlier, can match a path of the spot."""
    if is_fixed(spot.pattern):
        return False  # an exact location wins; it stands only for what the app answers there
    if is_fixed(route.pattern):
        return re.fullmatch(spot.pattern, head(route.pattern)) is not None
    return may_meet(route.pattern, plain(spot.pattern))


def families(found: list[Spot]) -> dict[str, list[Spot]]:
    """The patterns by what all of a family begin with: nginx looks only in the location with the longest prefix.

    The prefix has no slash at its end: nginx would redirect the path without it to the one with it.
    """
    patterns = [spot for spot in found if not is_fixed(spot.pattern)]
    made: dict[str, list[Spot]] = {}
    last = ""
    for spot in sorted(patterns, key=lambda spot: _family(spot)):
        if not last or not spot.head.startswith(last):
            last = _family(spot)
        made.setdefault(last, []).append(spot)
    return {text: [spot for spot in patterns if spot in members] for text, members in made.items()}


def _family(spot: Spot) -> str:
    return spot.head.rstrip("/") or "/"


def settings(web: Web, routed: Routed | None, *, may_be_silent: bool = False) -> list[Directive]:
    """What nginx does differently for this route; its times only where silence is no failure."""
    if routed is None:
        return []
    wanted = _SETTINGS if may_be_silent else (_silence, *_SETTINGS)
    return [made for write in wanted for made in write(web, routed)]


def carriers(web: Web) -> dict[str, Routed]:
    """The routes whose settings go along to named locations, by the value of ROUTE there."""
    return {f"_{at}": item for at, item in enumerate(web.site.routed) if _is_carried(item.edge)}


def way(web: Web) -> str:
    """What follows the name of a named location, where routes have their own."""
    return ROUTE if carriers(web) else ""


def chosen_way(web: Web, routed: Routed | None) -> list[Directive]:
    """What the location of a route begins with, before a request may leave it."""
    why = "what leaves this location keeps the settings of its route"
    return [
        directive("set", ROUTE, name, why=why, cause=decisions.ROUTES)
        for name, item in carriers(web).items()
        if item is routed
    ]


def _is_carried(edge: Edge) -> bool:
    sizes = edge.max_upload is not None or edge.upload_to_file
    return bool(edge.private or edge.stream or sizes or edge.timeout is not None)


def kept(web: Web, routed: Routed | None) -> list[Directive]:
    """What the cache does in this location."""
    if routed and (routed.edge.private or routed.edge.stream):
        return no_cache(web)
    made = use_cache(web)
    if routed and caches(web):
        made += keep_route(web, routed, key(web), NEVER, stale(web))
    return made


def told_by_routes(web: Web) -> list[Directive]:
    """At server level: the variables by which a route's settings reach the worker, and named locations."""
    made = []
    if carriers(web):
        why = "a route with settings sets it: its requests keep them in the named locations"
        made.append(directive("set", ROUTE, "", why=why, cause=decisions.ROUTES))
    if has_deadlines(web):
        why = "a route with a time of its own sets it; the worker takes it for its deadline"
        made.append(directive("set", "$portico_deadline", "", why=why, cause=decisions.TIMES))
    if has_streams(web):
        why = "a route that streams sets it; the worker gives its requests threads of their own"
        made.append(directive("set", "$portico_stream", "", why=why, cause=decisions.ROUTES))
    if has_uploads(web):
        why = "a route that wants its uploads as files sets it"
        made.append(directive("set", "$portico_upload", "", why=why, cause=decisions.ROUTES))
    if has_private(web):
        why = "a private route sets it; the worker says so of the files it sends"
        made.append(directive("set", "$portico_private_route", "", why=why, cause=decisions.ROUTES))
    return made


def upload_map(web: Web) -> list[Directive]:
    """At http level: the file of a request body, looked up when the body is there and only for routes that want it."""
    if not has_uploads(web):
        return []
    if web.place.hides_bodies:
        why = "nginx's files are its own user's: the worker writes its own here, on routes that asked for one"
        table = [("default", ""), ("1", f"{Paths.of(web.place).uploads}/")]
        return [entries("map", "$portico_upload", "$portico_upload_file", table=table, why=why)]
    why = "any larger body is in a file; only a route that asked for it is told which"
    table = [("default", ""), ("1", "$request_body_file")]
    return [entries("map", "$portico_upload", "$portico_upload_file", table=table, why=why)]


def notes(web: Web) -> Iterator[str]:
    """Uploads that nginx would take and the app refuses: it reads no further than its own limit."""
    most = web.site.facts.max_content_length
    if most is None:
        return
    asked = {"max_upload": web.site.options.max_upload}
    asked |= {item.rule: item.edge.max_upload for item in web.site.routed if not item.edge.upload_to_file}
    wanted = [f"{what} ({size})" for what, size in asked.items() if size is not None and size > most]
    if wanted:
        yield (
            f"the app itself refuses uploads above {Size(most)} (MAX_CONTENT_LENGTH), less than {', '.join(wanted)}: "
            "raise it, or set request.max_content_length in the view"
        )


def impossible(web: Web) -> list[Problem]:
    """Settings of routes that only Portico's own worker understands, where another program runs the app."""
    if web.site.protocol == "uwsgi" and web.site.options.workers.server == "gunicorn":
        return []
    return [
        Problem(
            item.causes.get("upload_to_file", "routes").partition(": ")[0],
            f"{item.rule}: upload_to_file: only Portico's own worker takes the file of an upload",
            "take it away, or run a WSGI app with Gunicorn",
        )
        for item in web.site.routed
        if item.edge.upload_to_file
    ]


def private_map(web: Web) -> list[Directive]:
    """At http level: what an answer of a private route says to caches, unless the app says something itself."""
    if not any(item.edge.private for item in web.site.routed):
        return []
    why = "Cache-Control of private routes: nothing is kept by anybody, unless the app itself says something"
    table = [("default", ""), ("", "private, no-store")]
    return [entries("map", "$upstream_http_cache_control", _PRIVATE, table=table, why=why)]


def _silence(web: Web, routed: Routed) -> Iterator[Directive]:
    seconds = _seconds(routed.edge)
    if seconds is not None:
        yield from silence(web, seconds, cause=_cause_of_time(routed))


def _deadline(web: Web, routed: Routed) -> Iterator[Directive]:
    seconds = _seconds(routed.edge)
    if seconds is not None and has_deadlines(web):
        text, why = f"{Ladder.of(seconds).deadline_seconds:g}", "the worker waits a second longer than nginx"
        yield directive("set", "$portico_deadline", text, why=why, cause=_cause_of_time(routed))


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


def _stream(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.stream:
        cause = routed.causes.get("stream", "")
        if has_streams(web):
            yield directive("set", "$portico_stream", 1, why="tells the worker", cause=cause)
        yield directive(
            f"{dialect(web)}_buffering", "off", why="what the app yields goes on at once", cause=cause
        )
        yield directive("gzip", "off", why="compression would wait for more", cause=cause)


def _private(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.private:
        if has_private(web):
            why, cause = "tells the worker", routed.causes.get("private", "")
            yield directive("set", "$portico_private_route", 1, why=why, cause=cause)
        yield directive(
            "add_header", "Cache-Control", _PRIVATE, "always",
            why="no cache keeps the answer; empty, and not sent, when the app says it itself",
            cause=routed.causes.get("private", ""),
        )  # fmt: skip


def _upload_to_file(web: Web, routed: Routed) -> Iterator[Directive]:
    if routed.edge.upload_to_file:
        cause = routed.causes.get("upload_to_file", "")
        yield directive("set", "$portico_upload", 1, why="tells the worker where the body is", cause=cause)
        if web.place.hides_bodies:
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
)
