"""The http block: settings of every request on every server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.gateway.nginx.access import access_maps
from portico.plan.gateway.nginx.allow_list import allow_list_maps
from portico.plan.gateway.nginx.app.cache import cache_maps, cache_zone
from portico.plan.gateway.nginx.app.challenge import challenge_maps
from portico.plan.gateway.nginx.app.checks import check_maps
from portico.plan.gateway.nginx.app.link import tables
from portico.plan.gateway.nginx.app.resets import empty_maps
from portico.plan.gateway.nginx.app.routes import private_map, upload_map
from portico.plan.gateway.nginx.app.server_timing import timing_maps
from portico.plan.gateway.nginx.app.tracing import tracing_maps
from portico.plan.gateway.nginx.app.upstream import resolver, upstream
from portico.plan.gateway.nginx.bans import client_map
from portico.plan.gateway.nginx.crawlers import crawler_maps
from portico.plan.gateway.nginx.entry import tls, transfer
from portico.plan.gateway.nginx.entry.host_header import host_maps
from portico.plan.gateway.nginx.entry.observer_endpoints import endpoint_servers
from portico.plan.gateway.nginx.entry.trust import trust
from portico.plan.gateway.nginx.files.compression import compression, copy_maps
from portico.plan.gateway.nginx.files.spa import spa_maps
from portico.plan.gateway.nginx.files.statics import static_maps
from portico.plan.gateway.nginx.headers import header_maps
from portico.plan.gateway.nginx.limits.counted import retry_maps
from portico.plan.gateway.nginx.limits.held import clients
from portico.plan.gateway.nginx.limits.zones import limit_zones
from portico.plan.gateway.nginx.log.line import log, log_maps
from portico.plan.gateway.nginx.own import in_http, settled
from portico.plan.gateway.nginx.pages import failure_maps, page_maps
from portico.plan.gateway.nginx.password import password_maps
from portico.plan.gateway.nginx.routing.choice import choice_maps
from portico.plan.gateway.nginx.routing.elsewhere import stripped_maps, upstreams
from portico.plan.gateway.nginx.routing.mirror import mirror_maps
from portico.plan.gateway.nginx.server import servers
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.gateway.nginx.waf import waf_rules
from portico.plan.paths import Paths
from portico.plan.web.files.mime import TYPES
from portico.plan.web.model import Web

BODIES = ("client_body", "uwsgi", "proxy", "fastcgi", "scgi")
"""The kinds of temporary bodies on nginx's disk: each has its own directory."""
_VARIABLE = re.compile(r"\$\w+")
_NAMES_A_SITE = 128
"""Both tables have sizes that are powers of two."""
_LEAST = 2048


def http(web: Web) -> Directive:
    """The http block, whole."""
    of_site = own(web)
    of = [*shared(web.place), *room(1 + len(web.hosts.declared)), *_used(maps(), of_site), *of_site]
    return block("http", why="everything HTTP", of=settled(of) if web.own.above else of)


def shared(place: Place) -> list[Directive]:
    """What is the same for every site, so that a shared gateway has it once: it does not depend on the site."""
    return [
        *_basics(),
        *transfer.client_times(place.gateway),
        *transfer.heads(),
        *_temporary(Paths.of(place)),
        *clients(place),
        *compression(place),
    ]


def room(sites: int, cause: str = "") -> list[Directive]:
    """The sizes of nginx's tables for the names of so many sites."""
    size = max(_LEAST, 1 << (sites * _NAMES_A_SITE).bit_length())
    why = "room for variables and host names, without a warning"
    return [
        directive("variables_hash_max_size", size, why=why, cause=cause),
        directive(
            "variables_hash_bucket_size", 256, why="names that begin with a site's are long", cause=cause
        ),
        directive("server_names_hash_max_size", size, why=why, cause=cause),
    ]


def maps() -> list[Directive]:
    """The variables that no option changes. Each uses only those before it."""
    return [
        *page_maps(),
        *failure_maps(),
        *_upgrade(),
        *copy_maps(),
        *cache_maps(),
        client_map(),
        *log_maps(),
    ]


def _used(made: list[Directive], tree: Iterable[Directive]) -> list[Directive]:
    """Those of the maps whose variable the tree, or another used map, contains."""
    names, used = set(_names(tree)), list[Directive]()
    for one in reversed(made):
        if one.args[-1] in names:
            names.update(_names([one]))
            used.insert(0, one)
    return used


def _names(tree: Iterable[Directive]) -> Iterator[str]:
    for item in tree:
        for text in (*item.args, item.verbatim or ""):
            yield from _VARIABLE.findall(text)
        yield from _names(item.block or ())


def own(web: Web) -> list[Directive]:
    """The site's own part; `nginx.fragment` turns it into what can stand beside other sites."""
    return [
        *transfer.request_limits(web),
        *transfer.answers(web),
        *tables(web),
        *static_maps(web),
        *spa_maps(web),
        *trust(web),
        *host_maps(web),
        *tracing_maps(web),
        *timing_maps(web),
        *tls.https_variable(web),
        *tls.variables(web),
        *tls.hsts(web),
        *log(web),
        *crawler_maps(web),
        *access_maps(web),
        *password_maps(web),
        *check_maps(web),
        *empty_maps(web),
        *private_map(web),
        *header_maps(web),
        *cache_zone(web),
        *upload_map(web),
        *waf_rules(web),
        *allow_list_maps(web),
        *challenge_maps(web),
        *limit_zones(web),
        *retry_maps(web),
        *resolver(web),
        *([] if web.upstream.is_nobody else [upstream(web)]),
        *choice_maps(web),
        *stripped_maps(web),
        *upstreams(web),
        *mirror_maps(web),
        *servers(web),
        *endpoint_servers(web),
        *in_http(web),
    ]


def _basics() -> list[Directive]:
    return [
        directive("server_tokens", "off", why="clients need not know the version"),
        entries("types", table=TYPES, why="content types by file name; this nginx may bring no list of its own"),
        directive("default_type", "application/octet-stream", why="an unknown file is downloaded, not guessed at"),
        directive("types_hash_max_size", 2048, why="room for the types above, without a warning"),
        directive("map_hash_bucket_size", 512, why="room for the long names of a build's files, before the first map"),
        directive("map_hash_max_size", 65536, why="room for that many files"),
        directive("server_names_hash_bucket_size", 128, why="room for long host names, without a warning"),
        directive("sendfile", "on", why="the kernel copies files to the socket, nginx does not read them"),
        directive("tcp_nopush", "on", why="head and start of a file leave in one packet"),
        directive(
            "underscores_in_headers", "off",
            why="X_Forwarded_For and X-Forwarded-For are one name to WSGI; the one with underscores is dropped",
            cause=decisions.LINK,
        ),
        directive("merge_slashes", "off", why="a path with // reaches the app as it was sent"),
        directive("absolute_redirect", "off", why="nginx's redirects name a path and cannot name a wrong host"),
    ]  # fmt: skip


def _temporary(paths: Paths) -> list[Directive]:
    return [
        directive(
            f"{name}_temp_path", f"{paths.temporary}/{name}",
            why="a private place for bodies that do not fit the memory; the embedded nginx has no usable default",
        )
        for name in BODIES
    ]  # fmt: skip


def _upgrade() -> list[Directive]:
    return [
        entries(
            "map", "$request_method:$http_connection", "$portico_handshake",
            table=[("default", "0"), ("~*^GET:.*upgrade", "1")],
            why="the other half of a WebSocket handshake: Upgrade alone must not move a request to its times",
        ),
        entries(
            "map", "$http_upgrade", "$portico_is_upgrade",
            table=[("default", "0"), ("", "0"), ("~*^websocket$", "$portico_handshake")],
            why="1 for a WebSocket handshake; without an Upgrade header nothing else is looked at",
        ),
        entries(
            "map", "$portico_is_upgrade", "$portico_connection",
            table=[("default", "close"), ("1", "upgrade")],
            why="what the link's Connection header says where the link is HTTP",
        ),
        entries(
            "map", "$portico_is_upgrade", "$portico_upgrade",
            table=[("default", ""), ("1", "websocket")],
            why="what its Upgrade header says: a client leads no server elsewhere to another protocol (h2c)",
        ),
    ]  # fmt: skip
