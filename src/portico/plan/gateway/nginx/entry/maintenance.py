"""`portico maintenance` of a site without an app: its files, redirects and pages are closed.

A file is found by its location, so an admitted address must not leave it, as a request to the app does
(`app.detours.closed`): the server decides once who finds the site closed, and each location asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.log.text import refusing
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import closed, closed_pages, closing
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.paths import Paths
from portico.plan.web.guards import Guard, Open
from portico.plan.web.model import Web
from portico.plan.web.refusals import MAINTENANCE


def shut(web: Web) -> list[Directive]:
    """At server level: the variable that is 1 while the site is closed to the client."""
    if not web.upstream.is_nobody:
        return []
    name, flags = _shut(web), Paths.of(web.place).maintenance
    return [
        directive("set", name, "", why="the site is open"),
        block(
            "if", "(-f", f"{flags}/on)", why="this file exists while portico maintenance is on",
            of=[directive("set", name, 1, why="closed")],
        ),
        block(
            "if", "(-f", f"{flags}/allowed/$remote_addr)",
            why="portico maintenance on --allow makes a file for each address it lets in",
            of=[directive("set", name, "", why="open to this client")],
        ),
    ]  # fmt: skip


def if_open(web: Web, guard: Open) -> list[Directive]:
    """The guard, in a location."""
    if web.upstream.is_nobody:
        return [block("if", f"({_shut(web)})", why="the site is closed to the client", of=[closed()])]
    why = "this file exists while portico maintenance is on; looking for it costs a request 0.4 to 1.4 us"
    return [block("if", "(-f", f"{guard.directory}/on)", why=why, of=[closed()])]


def shut_page(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """In locations with error pages of their own: where such requests go on."""
    is_asked = web.upstream.is_nobody and any(isinstance(guard, Open) for guard in guards)
    return [closing(web, "")] if is_asked else []


def shut_location(web: Web) -> list[Directive]:
    """The answer of a closed site without an app."""
    if not web.upstream.is_nobody:
        return []
    return [
        block(
            "location", location(web, "closed"), why="the site is closed for maintenance",
            of=[
                *closed_pages(web),
                refusing(MAINTENANCE),
                directive("return", 503, why="closed: come back later"),
            ],
        )
    ]  # fmt: skip


def _shut(web: Web) -> str:
    return variable(web, "shut")
