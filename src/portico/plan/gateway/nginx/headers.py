"""The headers of every answer, written in one place.

nginx inherits `add_header` only into blocks without any of their own. So each block that adds one asks here for all
the others: `repeated` if the app answers, `of_nginx` if nginx does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from portico.plan import decisions
from portico.plan.downloads import CARRIED
from portico.plan.gateway.nginx.app.cache import status_headers
from portico.plan.gateway.nginx.app.server_timing import timing_headers
from portico.plan.gateway.nginx.entry.tls import secured_headers
from portico.plan.gateway.nginx.names import header_word, location, variable
from portico.plan.gateway.nginx.own import own_headers
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.headers import SERVER, Cors, Header
from portico.plan.web.model import Web
from portico.site.model import Routed

_CORS = "https://fetch.spec.whatwg.org/#http-cors-protocol"
_HEADERS_MORE = "https://github.com/openresty/headers-more-nginx-module#more_clear_headers"
_PREFLIGHT = 424
"""An otherwise unused status that nginx handles internally; no client sees it."""
_UNLESS = "; not where the app says it itself"
_ALLOW_ORIGIN, _VARY = "Access-Control-Allow-Origin", "Vary"


def _common(web: Web, *, is_secure: bool = True) -> list[Directive]:
    """Headers that Portico itself adds to every answer."""
    return [
        directive(
            "add_header", "X-Request-ID", "$request_id", "always",
            why="the ID of this request's log line, for reports of a problem", cause=decisions.LOG_LINE,
        ),
        *timing_headers(web),
        *(secured_headers(web) if is_secure else []),
    ]  # fmt: skip


def of_app(web: Web, routed: Routed | None = None) -> list[Directive]:
    """Headers of the app's answers: at server level, and in each of its locations that adds others."""
    wanted = web.headers.of(routed)
    made = [_sent(one, _of_app(web, one), f"{one.why}{'' if one.is_only else _UNLESS}") for one in wanted]
    return [*_common(web), *made, *_cors(web, is_app=True), *own_headers(web)]


def of_nginx(web: Web, said: Sequence[tuple[str, str]] = ()) -> list[Directive]:
    """Headers of nginx's own answers: files and pages. `said` are those that the block sets itself."""
    names = {name.lower() for name, _ in said}
    return [*_common(web), *_constant(web, names), *own_headers(web)]


def of_redirects(web: Web, *, is_secure: bool) -> list[Directive]:
    """Headers of a server that redirects every request."""
    return [*_common(web, is_secure=is_secure), *_constant(web, ())]


def _constant(web: Web, names: Collection[str]) -> list[Directive]:
    """The headers of answers without the app's part, except those with these names."""
    made = [
        _sent(one, value, one.why)
        for one in web.headers.every
        if one.name.lower() not in names and (value := _beside(one, names))
    ]
    cors = [] if _ALLOW_ORIGIN.lower() in names else _cors(web, is_app=False)
    return [*made, *cors]


def of_download(web: Web) -> list[Directive]:
    """Headers of a file that nginx sends for the app, beside those that the app set for it."""
    carried = {name.lower() for name in CARRIED} - {name.lower() for name in web.headers.removed}
    made = [
        _sent(one, _of_app(web, one) if one.name.lower() in carried else one.value, one.why)
        for one in web.headers.every
    ]
    return [*_common(web), *made, *_cors(web, is_app=True), *own_headers(web)]


def repeated(web: Web, routed: Routed | None, own: Iterable[Directive]) -> list[Directive]:
    """What a location of the app must repeat: nothing if it adds no header (`own`) and its route has none."""
    has_others = web.headers.of(routed) != web.headers.every
    if not has_others and not any(one.name == "add_header" for one in own):
        return []
    return [*of_app(web, routed), *status_headers(web)]


def is_said(web: Web, name: str) -> bool:
    """Whether every answer has that header already."""
    return name.lower() in map(str.lower, web.headers.names)


def _sent(one: Header, value: str, why: str) -> Directive:
    return directive("add_header", one.name, value, "always", why=why, cause=one.cause, source=one.source)


def _beside(one: Header, names: Collection[str]) -> str:
    """The value if the app sets headers with these names."""
    return one.framed if "x-frame-options" in names else one.value


def header_maps(web: Web) -> list[Directive]:
    """At `http` level: the variables that are empty if the app sets the header itself."""
    return [*(made for one in web.headers.distinct for made in _maps(web, one)), *_cors_maps(web)]


def _of_app(web: Web, one: Header) -> str:
    """The value for an answer of the app: a variable, unless the app cannot replace it."""
    if one.is_only and one.framed == one.value:
        return one.value
    return _framed(web, one) if one.is_only else _variable(web, one)


def _variable(web: Web, one: Header) -> str:
    return variable(web, f"header_{web.headers.numbers[one.name.lower(), one.value]}")


def _framed(web: Web, one: Header) -> str:
    return f"{_variable(web, one)}_framed"


def _maps(web: Web, one: Header) -> Iterator[Directive]:
    value = one.value
    if one.framed != one.value:
        value = _framed(web, one)
        yield entries(
            "map", "$upstream_http_x_frame_options", value, table=[("default", one.framed), ("", one.value)],
            why="without what the policy says of frames where the app has X-Frame-Options: browsers obey the policy",
            cause=one.cause,
        )  # fmt: skip
    if not one.is_only:
        yield entries(
            "map", f"$upstream_http_{header_word(one.name)}", _variable(web, one), table=[("default", ""), ("", value)],
            why=f"{one.name}, unless the app says it itself: nginx leaves an empty header out", cause=one.cause,
        )  # fmt: skip


def nameless(web: Web) -> list[Directive]:
    """At server level: nginx does not send its own name."""
    if not web.headers.hides_server:
        return []
    why = "clients need not know which program answers"
    return [
        directive(
            "more_clear_headers", SERVER, why=why, cause=web.headers.removed_cause, source=_HEADERS_MORE
        )
    ]


def preflight(web: Web) -> list[Directive]:
    """At server level: sends a CORS preflight to its answer."""
    cors = web.headers.cors
    if cors is None:
        return []
    why = "a browser asks before a request of another origin; the app, limits and passwords have no part in the answer"
    return [
        directive(
            "error_page", _PREFLIGHT, "=", location(web, "preflight"), why="where that is answered", cause=cors.cause
        ),
        block(
            "if", f"({variable(web, 'is_preflight')})", why=why, cause=cors.cause, source=_CORS,
            of=[directive("return", _PREFLIGHT, why="leads to @portico_preflight, never to the client")],
        ),
    ]  # fmt: skip


def preflight_location(web: Web) -> list[Directive]:
    """Answers it."""
    cors = web.headers.cors
    if cors is None:
        return []
    asked = ", ".join(cors.headers) or variable(web, "cors_asked")
    said = {
        "Access-Control-Allow-Methods": (
            ", ".join(cors.methods),
            "methods that pages of that origin may use",
        ),
        "Access-Control-Allow-Headers": (asked, "request headers that they may send"),
        "Access-Control-Max-Age": (str(cors.max_age), "how many seconds the browser need not ask again"),
    }
    return [
        block(
            "location", location(web, "preflight"), why="nginx answers for the whole site", cause=cors.cause,
            of=[
                *of_nginx(web),
                *(_line(cors, name, value, why) for name, (value, why) in said.items()),
                directive("return", 204, why="the answer is in the head"),
            ],
        )
    ]  # fmt: skip


def _line(cors: Cors, name: str, value: str, why: str) -> Directive:
    return directive("add_header", name, value, "always", why=why, cause=cors.cause, source=_CORS)


def _cors(web: Web, *, is_app: bool) -> list[Directive]:
    """The CORS headers of an answer; none if the app sets its own."""
    cors = web.headers.cors
    if cors is None:
        return []
    of = "app_" if is_app else ""
    origin = variable(web, f"cors_{of}origin") if is_app or cors.origins else "*"
    made = [
        _line(
            cors, _ALLOW_ORIGIN, origin, f"the page's origin, where it may read the answer{_unless(is_app)}"
        )
    ]
    if cors.has_credentials:
        name, why = variable(web, f"cors_{of}credentials"), "with cookies and Authorization"
        made.append(_line(cors, "Access-Control-Allow-Credentials", name, why))
    if cors.expose:
        exposed = ", ".join(cors.expose)
        value = variable(web, f"cors_{of}exposed") if is_app or cors.origins else exposed
        made.append(_line(cors, "Access-Control-Expose-Headers", value, "headers that the page may read"))
    if cors.origins:
        value = variable(web, "cors_vary") if is_app else "Origin"
        made.append(_line(cors, _VARY, value, "caches must keep the answers to different origins apart"))
    return made


def _unless(is_app: bool) -> str:
    return _UNLESS if is_app else ""


def _cors_maps(web: Web) -> list[Directive]:
    cors = web.headers.cors
    if cors is None:
        return []
    origin = variable(web, "cors_origin") if cors.origins else "*"
    app = variable(web, "cors_app_origin")
    made = [*_origins(web, cors)]
    made.append(
        _map(cors, "$upstream_http_access_control_allow_origin", app, {"default": "", "": origin},
             "the same, unless the app says itself who may read its answer")
    )  # fmt: skip
    for of, source in (("app_", app), ("", origin)):
        if source == "*":
            continue
        why = "sent with the header before it, and not without"
        if cors.has_credentials:
            made.append(
                _map(cors, source, variable(web, f"cors_{of}credentials"), {"default": "true", "": ""}, why)
            )
        if cors.expose:
            table = {"default": ", ".join(cors.expose), "": ""}
            made.append(_map(cors, source, variable(web, f"cors_{of}exposed"), table, why))
    return [*made, *_vary(web, cors), *_preflights(web, cors)]


def _map(cors: Cors, source: str, name: str, table: dict[str, str], why: str) -> Directive:
    return entries("map", source, name, table=table.items(), why=why, cause=cors.cause)


def _origins(web: Web, cors: Cors) -> Iterator[Directive]:
    if cors.origins:
        exact = {one: one for one in cors.origins if "*" not in one}
        wild = {_pattern(one): "$http_origin" for one in cors.origins if "*" in one}
        why = "the origin of the page that asks, where it may read the answers"
        yield _map(cors, "$http_origin", variable(web, "cors_origin"), {"default": "", **exact, **wild}, why)


def _pattern(origin: str) -> str:
    """A wildcard stands for one or more labels, unlike in a certificate."""
    start, end = (re.escape(part) for part in origin.split("*.", 1))
    return rf"~^{start}(?:[a-z0-9_-]+\.)+{end}$"


def _vary(web: Web, cors: Cors) -> Iterator[Directive]:
    if cors.origins:
        table = {"default": "Origin", "": "Origin", r"~*(?:^|[\s,])Origin(?:[\s,]|$)": ""}
        why = "said once, where the app says it, too"
        yield _map(cors, "$upstream_http_vary", variable(web, "cors_vary"), table, why)


def _preflights(web: Web, cors: Cors) -> Iterator[Directive]:
    lets_in = variable(web, "cors_origin") if cors.origins else "$http_origin"
    asks = variable(web, "asks_before")
    why = "what a browser asks before a request: may a page of this origin use this method?"
    yield _map(cors, "$http_access_control_request_method", asks, {"default": lets_in, "": ""}, why)
    why = "not empty for such a question from an origin that may; the app gets any other"
    yield _map(cors, "$request_method", variable(web, "is_preflight"), {"default": "", "OPTIONS": asks}, why)
    if not cors.headers:
        table = {"default": "", "~^[A-Za-z0-9, -]+$": "$http_access_control_request_headers"}
        why = "the request headers that the browser asks about: any may be sent"
        yield _map(cors, "$http_access_control_request_headers", variable(web, "cors_asked"), table, why)
