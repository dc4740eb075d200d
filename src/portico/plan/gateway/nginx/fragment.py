"""The fragment of one site, for a gateway of several: settings within its own servers.

This looks at the tree and not at who wrote it, so that what is added to a site's configuration later is covered: a
directive of `http` level that defines something stays there, any other moves into the site's servers. The server that
refuses strange Hosts, and what is said once of a listening socket, are left to the gateway.
"""

from __future__ import annotations

from msgspec.structs import replace

from portico.plan.gateway.nginx.conf import Directive, directive, render
from portico.plan.gateway.nginx.http import own
from portico.plan.gateway.nginx.own import in_http, moved, settled, without
from portico.plan.model import File, Tls, Upstream
from portico.plan.paths import Paths
from portico.plan.web.model import Web

FILE = "site.conf"
STRANGERS = "_"
"""The server_name of a server that refuses strange Hosts."""
USERS_HTTP = "[nginx] http: what may stand at http level only holds for every site of the gateway"
"""A note: those lines are placed there as they were written; others hold for the site alone."""
_DEFINES = frozenset({
    "map", "geo", "split_clients", "upstream", "server", "log_format", "limit_req_zone", "limit_conn_zone",
    "proxy_cache_path", "uwsgi_cache_path", "fastcgi_cache_path", "scgi_cache_path", "keyval_zone", "keyval",
    "js_import", "js_set", "js_shared_dict_zone", "perl_set", "geoip2", "include", "match", "auth_jwt_key_cache",
})  # fmt: skip
"""The directives of `http` level that others refer to, and that may stand there more than once."""
_OF_SOCKETS = ("default_server", "backlog=", "ipv6only=", "reuseport", "so_keepalive=", "rcvbuf=", "sndbuf=")
"""Words of `listen` that belong to the socket: one server says them for all."""


def fragment(web: Web) -> list[Directive]:
    """The site's directives of `http` level, to stand beside those of other sites."""
    tree = own(web)
    settings = [item for item in tree if item.name not in _DEFINES and item.verbatim is None]
    settings.append(_error_log(web))
    inner, users = moved(item for item in tree if item.verbatim is not None)
    defining = [item for item in tree if item.name in _DEFINES and not _is_for_strangers(item)]
    return [
        *(_in_gateway(_with_own_files(item, web.name), web, settings, inner) for item in defining),
        *users,
    ]


def is_shared(web: Web) -> bool:
    """Whether some of the user's lines hold for every site of the gateway."""
    return any(one.users or one.verbatim for one in moved(in_http(web))[1])


def directory(name: str) -> str:
    """Where the gateway keeps the site's files, beside its own nginx.conf."""
    return f"sites/{name}"


def fragment_file(web: Web) -> File:
    """The fragment as nginx reads it."""
    return File(FILE, tuple(render(fragment(web))), mode=0o600)


def _is_for_strangers(item: Directive) -> bool:
    return item.name == "server" and any(
        one.name == "server_name" and one.args == (STRANGERS,) for one in item.block or ()
    )


def _in_gateway(item: Directive, web: Web, settings: list[Directive], users: list[Directive]) -> Directive:
    """`users` are the user's lines at `http` level that hold for this site alone."""
    if item.name == "upstream":
        return _with_own_resolver(item, web, settings)
    if item.name != "server":
        return item
    own = [_shared_socket(one) if web.hosts.declared else one for one in item.block or ()]
    block = (*settings, *without(users, own), *own)
    return replace(item, block=tuple(settled(block)) if web.own.all else block)


def _with_own_files(item: Directive, name: str) -> Directive:
    """What changes by itself lies beside the site's fragment."""
    if item.args and item.args[0] in Tls.FILES:
        return replace(item, args=(f"{directory(name)}/{item.args[0]}",))
    if item.name != "server":
        return item
    return replace(item, block=tuple(_with_own_files(one, name) for one in item.block or ()))


def _shared_socket(item: Directive) -> Directive:
    """A `listen` without what the gateway says of the socket."""
    if item.name != "listen":
        return item
    return replace(item, args=tuple(word for word in item.args if not word.startswith(_OF_SOCKETS)))


def _with_own_resolver(item: Directive, web: Web, settings: list[Directive]) -> Directive:
    """An upstream asks the name server of its own block or of `http`, not that of a server."""
    asked = [one for one in settings if one.name == "resolver"]
    servers = [
        replace(one, args=(f"{directory(web.name)}/{Upstream.FILE}",)) if one.name == "include" else one
        for one in item.block or ()
    ]
    zone = [one for one in servers if one.name == "zone"]
    return replace(item, block=(*zone, *asked, *(one for one in servers if one.name != "zone")))


def _error_log(web: Web) -> Directive:
    level, why = "error", "nginx's complaints about this site, in its own log"
    if web.is_waiting:
        level, why = "crit", f"{why}; that its app does not answer is known"
    return directive("error_log", Paths.of(web.place).error_log, level, why=why)
