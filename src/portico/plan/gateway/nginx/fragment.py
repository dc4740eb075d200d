"""The fragment of one site for a shared gateway: settings within its own servers.

It works on the tree, whatever module wrote it, so that later additions to a site's configuration are covered: a
directive of `http` level that defines something stays there, any other moves into the site's servers.
"""

from __future__ import annotations

from msgspec.structs import replace

from portico.errors import Problem
from portico.plan.files import File
from portico.plan.gateway.nginx.http import own
from portico.plan.gateway.nginx.own import in_http, moved, settled, without
from portico.plan.gateway.nginx.syntax import Directive, directive, render
from portico.plan.paths import FRAGMENT, Paths
from portico.plan.web.model import Web

_DEFINES = frozenset({
    "map", "geo", "split_clients", "upstream", "server", "log_format", "limit_req_zone", "limit_conn_zone",
    "proxy_cache_path", "uwsgi_cache_path", "fastcgi_cache_path", "scgi_cache_path", "keyval_zone", "keyval",
    "js_import", "js_set", "js_shared_dict_zone", "perl_set", "geoip2", "include", "match", "auth_jwt_key_cache",
})  # fmt: skip
"""The directives of `http` level that others refer to and that may occur more than once."""

SHARED = Problem(
    "[nginx] http",
    "[nginx] http: what may stand at http level only holds for every site of the gateway",
    "use [nginx] server if the directive is allowed there",
)
"""A note: those lines are placed there as they were written; others hold for the site alone."""


def fragment(web: Web) -> list[Directive]:
    """The site's directives of `http` level, for a place beside those of other sites."""
    tree = own(web)
    settings = [item for item in tree if item.name not in _DEFINES and item.verbatim is None]
    settings.append(_error_log(web))
    inner, users = moved(item for item in tree if item.verbatim is not None)
    defining = [item for item in tree if item.name in _DEFINES]
    return [
        *(_with(item, web, settings, inner) if item.name == "server" else item for item in defining),
        *users,
    ]


def shared_lines(web: Web) -> list[str]:
    """A note if some of the user's lines apply to every site of the gateway."""
    is_shared = web.hosts.is_beside_others and any(
        one.users or one.verbatim for one in moved(in_http(web))[1]
    )
    return [SHARED.what] if is_shared else []


def fragment_file(web: Web) -> File:
    """The fragment as a file of nginx."""
    return File(FRAGMENT, tuple(render(fragment(web))), mode=0o600)


def _with(server: Directive, web: Web, settings: list[Directive], users: list[Directive]) -> Directive:
    """The server with these settings; `users` are the user's lines at `http` level that apply to this site alone."""
    own = server.block or ()
    block = (*settings, *without(users, own), *own)
    return replace(server, block=tuple(settled(block)) if web.own.all else block)


def _error_log(web: Web) -> Directive:
    level, why = "error", "nginx's complaints about this site, in its own log"
    if web.is_waiting:
        level, why = "crit", f"{why}; that its app does not answer is known"
    return directive("error_log", Paths.of(web.place).error_log, level, why=why)
