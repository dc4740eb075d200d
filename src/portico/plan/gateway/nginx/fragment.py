"""The fragment of one site, for a gateway of several: names of its own, settings within its own servers.

Both steps look at the tree and not at who wrote it, so that what is added to a site's configuration later is covered:
a directive of `http` level that defines something stays there, any other moves into the site's servers; every name
that is defined, all of which begin with `portico_`, is given the site's own. The server that refuses strange Hosts,
and what is said once of a listening socket, are left to the gateway.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec.structs import replace

from portico.place.model import Place
from portico.plan.gateway.nginx.conf import Directive, directive, render
from portico.plan.gateway.nginx.http import own
from portico.plan.gateway.nginx.limits import SHARED
from portico.plan.gateway.nginx.own import in_http, moved, settled, without
from portico.plan.gateway.nginx.tls import SESSIONS
from portico.plan.model import File, Line, Tls, Upstream
from portico.plan.paths import Paths
from portico.plan.web.model import Web

FILE = "site.conf"
PREFIX = "portico_"
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
_NAMED = {
    "map": -1, "geo": -1, "split_clients": -1, "upstream": 0, "log_format": 0, "zone": 0, "set": 0,
    "auth_request_set": 0, "keyval": 1, "js_set": 0,
}  # fmt: skip
"""Where a directive has the name that it defines."""
_OTHER_WORDS = ("sticky ",)
"""What looks like a name of ours there is the user's: that of a cookie."""
_ZONES = re.compile(r"(?:zone=|keys_zone=|shared:)([A-Za-z_]\w*)")
_NOT_A_WORD = re.compile(r"[^a-z0-9_]")


def fragment(web: Web) -> list[Directive]:
    """The site's directives of `http` level, to stand beside those of other sites when their names are its own."""
    tree = own(web)
    settings = [item for item in tree if item.name not in _DEFINES and item.verbatim is None]
    settings.append(_error_log(web.place))
    inner, users = moved(item for item in tree if item.verbatim is not None)
    defining = [item for item in tree if item.name in _DEFINES and not _is_for_strangers(item)]
    return [
        *(_in_gateway(_with_own_files(item, web.site.name), web, settings, inner) for item in defining),
        *users,
    ]


def is_shared(web: Web) -> bool:
    """Whether some of the user's lines hold for every site of the gateway."""
    return any(one.users or one.verbatim for one in moved(in_http(web))[1])


def directory(name: str) -> str:
    """Where the gateway keeps the site's files, beside its own nginx.conf."""
    return f"sites/{name}"


def fragment_file(web: Web, tree: Iterable[Directive]) -> File:
    """The fragment as nginx reads it."""
    tree = tuple(tree)
    names = (defined(tree) | Tls.DEFINES) - {SESSIONS} - SHARED
    return File(FILE, tuple(renamed(render(tree), names, namespace(web.site.name))), mode=0o600)


def namespace(name: str) -> str:
    """What stands for the site in names: nginx's variables are words, and know no capitals.

    Two underscores come after it, and none of ours has two: nothing that sites share is hit.
    """
    word = _NOT_A_WORD.sub("_", name.lower())
    return (
        word
        if word == name and "__" not in word
        else f"{word}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    )


def defined(tree: Iterable[Directive]) -> frozenset[str]:
    """Every name that these directives define, without the signs around it."""
    return frozenset(_defined(tree))


def renamed(lines: Iterable[Line], names: Iterable[str], space: str) -> list[Line]:
    """The lines, with every name of ours among these in that namespace."""
    ours, own = {name for name in names if name.startswith(PREFIX)}, f"{PREFIX}{space}__"

    def rename(found: re.Match[str]) -> str:
        is_name = found[0] in ours and _is_name(found.string, found.start(), found.end())
        return own + found[0][len(PREFIX) :] if is_name else found[0]

    return [
        Line(_OURS.sub(rename, line.text), line.why, line.source, line.cause, line.is_users)
        if PREFIX in line.text and not line.text.lstrip().startswith(_OTHER_WORDS)
        else line
        for line in lines
    ]


_OURS = re.compile(rf"{PREFIX}\w+")


def _is_name(text: str, start: int, end: int) -> bool:
    """As a variable anywhere; else never within a path: what is after a slash is a name only in http://portico_app."""
    before, after = text[max(0, start - 3) : start], text[end : end + 1]
    if before.endswith(("$", "${", "://")):
        return True
    return not (before[-1:].isalnum() or before[-1:] in ("_", "/", ".", "-") or after in (".", "-"))


def _defined(tree: Iterable[Directive]) -> Iterator[str]:
    for item in tree:
        name = item.name
        if name in _NAMED:
            if len(item.args) > _NAMED[name]:
                yield item.args[_NAMED[name]].lstrip("$").partition(":")[0]
        elif name == "location":
            if item.args[0][0] == "@":
                yield item.args[0][1:]
        elif name.endswith(("_zone", "_path", "_cache")):
            yield from chain.from_iterable(map(_ZONES.findall, item.args))
        if item.block and name not in _TABLES:
            yield from _defined(item.block)


_TABLES = ("map", "geo", "split_clients", "types")
"""Blocks whose lines are no directives."""


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
    own = [_shared_socket(one) if web.site.options.domains else one for one in item.block or ()]
    block = (*settings, *without(users, own), *own)
    return replace(item, block=tuple(settled(block)) if web.site.own_directives else block)


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
        replace(one, args=(f"{directory(web.site.name)}/{Upstream.FILE}",)) if one.name == "include" else one
        for one in item.block or ()
    ]
    zone = [one for one in servers if one.name == "zone"]
    return replace(item, block=(*zone, *asked, *(one for one in servers if one.name != "zone")))


def _error_log(place: Place) -> Directive:
    return directive(
        "error_log", Paths.of(place).error_log, "error", why="nginx's complaints about this site, in its own log"
    )  # fmt: skip
