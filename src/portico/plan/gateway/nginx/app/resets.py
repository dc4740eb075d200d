"""Variables that begin empty, and that a subrequest must not empty again.

A subrequest (`auth_request`, `mirror`) shares its variables with the request and begins in the server block: a `set`
there would empty what the request's location has set. A site with subrequests has maps for it instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from portico.plan.gateway.nginx.app.cache import cache_rules
from portico.plan.gateway.nginx.app.routes import told_by_routes
from portico.plan.gateway.nginx.pages import not_elsewhere
from portico.plan.gateway.nginx.syntax import Directive, entries
from portico.plan.web.model import Web


def empty_maps(web: Web) -> list[Directive]:
    """At `http` level: the variables that begin empty, if the site has subrequests."""
    if not _has_subrequests(web):
        return []
    all_ = (*cache_rules(web), *told_by_routes(web), *not_elsewhere(web))
    found = {one.args[0] for one in all_ if _empties(one)}
    why = "empty where no route sets it"
    return [entries("map", "", name, table=[("default", "")], why=why) for name in sorted(found)]


def without_resets(web: Web, block_: Iterable[Directive]) -> list[Directive]:
    """The server's directives without those that `empty_maps` replaces."""
    is_needed = _has_subrequests(web)
    return [one for one in block_ if not (is_needed and _empties(one))]


def _has_subrequests(web: Web) -> bool:
    return web.access.checks is not None or web.mirror is not None


def _empties(one: Directive) -> bool:
    return one.name == "set" and one.args[1] == ""
