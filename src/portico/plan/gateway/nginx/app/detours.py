"""Named locations in which a request continues: a WebSocket, one that maintenance lets in, a page of a single-page
app.

A request leaves its location by an internal status before it is answered, and a named location inherits nothing of
the one it came from. So each route with settings or guards has named locations of its own, and no header of a client
can move a request out of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.access import refusal
from portico.plan.gateway.nginx.allow_list import leaving, unlisted_location
from portico.plan.gateway.nginx.app.challenge import without_pass
from portico.plan.gateway.nginx.app.link import pass_to_app, silence
from portico.plan.gateway.nginx.app.routes import carriers, settings, way
from portico.plan.gateway.nginx.files.spa import page_location, spa_error, to_spa
from portico.plan.gateway.nginx.guards import PAGE_PASSED, PASSED, guarded
from portico.plan.gateway.nginx.headers import repeated
from portico.plan.gateway.nginx.log.text import refusing
from portico.plan.gateway.nginx.names import location
from portico.plan.gateway.nginx.pages import closed_pages
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.gateway.nginx.waf import detour, handed_on, is_inspected, refused_by_waf
from portico.plan.paths import Paths
from portico.plan.web.guards import Guard
from portico.plan.web.model import Web
from portico.plan.web.mount import App, Below, Mount
from portico.plan.web.refusals import MAINTENANCE
from portico.site.model import Routed

UPGRADED_SECONDS = 3600
"""The longest silence of a WebSocket. Browsers do not ping; an hour is longer than a lunch break."""
_TUNNEL = 418
"""An otherwise unused status that nginx handles internally; no client sees it."""


def tunnel(web: Web) -> Directive:
    """At server level: the target of WebSocket handshakes."""
    return directive(
        "error_page", _TUNNEL, "=", f"{location(web, 'upgraded')}{way(web)}",
        why="a WebSocket handshake goes on in a location with other times; method and headers stay",
    )  # fmt: skip


def to_tunnel() -> Directive:
    """In a location that the app answers: sends a handshake there."""
    return block(
        "if", "($portico_is_upgrade)", why="the client asks to upgrade the connection (WebSocket)",
        of=[directive("return", _TUNNEL, why="leads to @portico_upgraded, never to the client")],
    )  # fmt: skip


def detours(web: Web) -> list[Directive]:
    """The named locations: the site's own, and those of each route with settings."""
    if web.upstream.is_nobody:
        return page_location(web, "", [], web.chains.files) if web.spa else []
    made = list[Directive]()
    for name, routed in [("", None), *carriers(web).items()]:
        own, guards = _settings(web, routed, may_be_silent=False), web.chains.of(routed)
        silent = _settings(web, routed, may_be_silent=True)
        long = [*silence(web, UPGRADED_SECONDS), *silent, pass_to_app(web)]
        made += upgraded(web, name, long, guards)
        made += closed(web, name, [*own, pass_to_app(web)], guards, [to_tunnel(), *to_spa(web)])
        made += page_location(web, name, own, guards) if web.spa else []
    return [*made, *unlisted_location(web, _after_list(web))]


def _after_list(web: Web) -> list[Directive]:
    """How a request that matches no rule continues, while the rules of two releases apply."""
    rest = Mount(Below("/"), App(), "everything else is the app's")
    then = handed_on(web, rest) if is_inspected(web.chains.site) else [pass_to_app(web)]
    return [*guarded(web, web.chains.site, passed=PAGE_PASSED), *then]


def _settings(web: Web, routed: Routed | None, *, may_be_silent: bool) -> list[Directive]:
    """The route's settings, and what a location with headers of its own must repeat."""
    own = settings(web, routed, may_be_silent=may_be_silent)
    return [*repeated(web, routed, own), *own]


def upgraded(web: Web, name: str, answer: list[Directive], guards: Sequence[Guard]) -> list[Directive]:
    """Where WebSockets continue; `answer` passes them on."""
    return detour(
        web, f"upgraded{name}", guards, guarded(web, guards, passed=PASSED), answer,
        why="WebSockets: as the app's location, but silence is normal there",
    )  # fmt: skip


def closed(
    web: Web, name: str, answer: list[Directive], guards: Sequence[Guard], detours: Sequence[Directive]
) -> list[Directive]:
    """Where requests continue during maintenance; `answer` passes those of an admitted address on."""
    pages = [
        *closed_pages(web),
        *refused_by_waf(web),
        *refusal(web, guards),
        tunnel(web),
        *spa_error(web),
        *leaving(web),
        *without_pass(web),
    ]
    asked = [
        *pages,
        block(
            "if", "(!-f", f"{Paths.of(web.place).maintenance}/allowed/$remote_addr)",
            why="portico maintenance on --allow makes a file for each address it lets in",
            of=[refusing(MAINTENANCE), directive("return", 503, why="closed: come back later")],
        ),
        *guarded(web, guards, detours, PASSED),
    ]  # fmt: skip
    return detour(
        web, f"closed{name}", guards, asked, [*(pages if is_inspected(guards) else []), *answer],
        why="the site is closed for maintenance: an allowed address goes on to the app, everyone else gets the page",
    )  # fmt: skip
