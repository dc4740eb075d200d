"""A single-page app: its page answers a browser's navigation to a path that no route and no file answers.

The app is asked first, so that all of its routes work; only a navigation that it answers with 404 gets the page, and
one under a route of the app keeps the app's 404.
"""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.access import refusal
from portico.plan.gateway.nginx.app.challenge import without_pass
from portico.plan.gateway.nginx.app.link import dialect, pass_to_app
from portico.plan.gateway.nginx.app.routes import way
from portico.plan.gateway.nginx.files.open_files import open_files
from portico.plan.gateway.nginx.guards import PAGE_PASSED, guarded
from portico.plan.gateway.nginx.headers import is_said, of_nginx
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import error_pages, no_such_part
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries, literal
from portico.plan.gateway.nginx.waf import detour, is_inspected, refused_by_waf
from portico.plan.web.files.spa import Spa
from portico.plan.web.guards import Guard
from portico.plan.web.model import Web

_PAGE = 420
"""An otherwise unused status that nginx handles internally; no client sees it."""


def spa_maps(web: Web) -> list[Directive]:
    """At `http` level: variables that recognize a navigation."""
    spa = web.spa
    if spa is None:
        return []
    cause = spa.cause
    return [
        entries(
            "map", "$request_method:$http_accept", variable(web, "navigates"),
            table=[("default", ""), ("~*^(?:GET|HEAD):.*text/html", "1"), ("~^(?:GET|HEAD):", "0")],
            why="1 for a browser that goes to a page and says text/html; scripts, pictures and programs do not",
            cause=cause,
        ),
        entries(
            "map", "$uri", variable(web, "no_route"),
            table=[
                ("default", "1"),
                *((path, "2") for path in spa.own_paths),
                *((f"~{route}", "") for route in spa.routes),
            ],
            why="the app's own routes: what they answer stays as it is, 404 too; 2 for the page's own address",
            cause=cause,
        ),
        entries(
            "map", variable(web, "navigates") + variable(web, "no_route"), variable(web, "is_page"),
            table=[("default", ""), ("11", "1"), ("12", "1"), ("02", "1")],
            why="1 for a navigation that may be the single-page app's, and for a request of its page", cause=cause,
        ),
    ]  # fmt: skip


def spa_error(web: Web) -> list[Directive]:
    """At server level: the target of such navigations."""
    if web.spa is None:
        return []
    return [
        directive(
            "error_page", _PAGE, "=", f"{location(web, 'page')}{way(web)}",
            why="a navigation that may be the single-page app's", cause=web.spa.cause,
        )
    ]  # fmt: skip


def to_spa(web: Web) -> list[Directive]:
    """Starts a location of the app."""
    if web.spa is None:
        return []
    cause = web.spa.cause
    return [
        block(
            "if", f"({variable(web, 'is_page')})", why="a navigation that may be the single-page app's", cause=cause,
            of=[directive("return", _PAGE, why="leads to @portico_page, never to the client", cause=cause)],
        )
    ]  # fmt: skip


def page_location(web: Web, name: str, settings: list[Directive], guards: Sequence[Guard]) -> list[Directive]:
    """Asks the app for a path that may be the page's; `settings` and `guards` are those of a route."""
    if web.spa is None:
        return []
    cause, is_ruled = web.spa.cause, web.upstream.is_nobody
    asked = guarded(web, guards, passed=PAGE_PASSED)
    return detour(
        web, f"page{name}", guards, asked, cause=cause,
        why="nothing else is there" if is_ruled else "the app comes first: it may know this page",
        then=[
            *([] if is_ruled else _after_app(web, cause)),
            *refusal(web, guards),
            *without_pass(web),
            *(error_pages(429) if asked else []),
            *error_pages(504),
            no_such_part(),
            directive("error_page", 502, location(web, "down"), why="no worker took the request"),
            *(refused_by_waf(web) if is_inspected(guards) else []),
            *settings,
            *(_page(web, web.spa) if is_ruled else [pass_to_app(web)]),
        ],
    )  # fmt: skip


def _after_app(web: Web, cause: str) -> list[Directive]:
    return [
        directive(f"{dialect(web)}_intercept_errors", "on", why="its 404 becomes the page", cause=cause),
        directive("error_page", 404, "=", location(web, "spa"), why="the app has no such page", cause=cause),
    ]


def spa_locations(web: Web) -> list[Directive]:
    """Serves the page if the app answers 404."""
    if web.spa is None or web.upstream.is_nobody:
        return []
    return [
        block(
            "location", location(web, "spa"), cause=web.spa.cause,
            why="the single-page app's page, which reads the address itself", of=_page(web, web.spa),
        ),
    ]  # fmt: skip


def _page(web: Web, spa: Spa) -> list[Directive]:
    """Sends the page."""
    cause, root = spa.cause, literal(spa.folder, spa.cause)
    why = "it is what its type says"
    nosniff = [directive("add_header", "X-Content-Type-Options", "nosniff", "always", why=why)]
    return [
        directive("root", root, why="what the build wrote", cause=cause),
        *(_safe(spa.fence, cause) if spa.fence else []),
        *open_files(web),
        directive("charset", "utf-8", why="tells browsers so"),
        *of_nginx(web),
        directive("add_header", "Cache-Control", "no-cache", why="it names files of the release"),
        *([] if is_said(web, "X-Content-Type-Options") else nosniff),
        directive("try_files", "/index.html", "=404", why="whatever the address", cause=cause),
    ]


def _safe(fence: str, cause: str) -> list[Directive]:
    why = "the app's user may put a link there, and nginx may read more than that user"
    return [directive("disable_symlinks", "on", f"from={fence}", why=why, cause=cause)]
