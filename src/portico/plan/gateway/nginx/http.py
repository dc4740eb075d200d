"""The http block: what holds for every request of every server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from portico.place.model import NginxBuild, Place
from portico.plan import decisions
from portico.plan.gateway.nginx.app.cache import cache_maps, cache_zone
from portico.plan.gateway.nginx.app.link import dialect, tables
from portico.plan.gateway.nginx.app.routes import private_map, upload_map
from portico.plan.gateway.nginx.app.tracing import tracing_maps
from portico.plan.gateway.nginx.app.upstream import resolver, upstream
from portico.plan.gateway.nginx.conf import Directive, block, directive, entries, time
from portico.plan.gateway.nginx.entry import tls
from portico.plan.gateway.nginx.entry.host_header import host_maps
from portico.plan.gateway.nginx.entry.observer_endpoints import endpoint_servers
from portico.plan.gateway.nginx.entry.trust import trust
from portico.plan.gateway.nginx.files.compression import compression, copy_maps
from portico.plan.gateway.nginx.files.spa import spa_maps
from portico.plan.gateway.nginx.files.statics import static_maps
from portico.plan.gateway.nginx.limits import clients, limit_zones
from portico.plan.gateway.nginx.log.line import log, log_maps
from portico.plan.gateway.nginx.own import in_http, settled
from portico.plan.gateway.nginx.pages import HEAD_KIB, failure_maps, page_maps
from portico.plan.gateway.nginx.server import servers
from portico.plan.paths import BODIES, Paths
from portico.plan.web.entry import transfer
from portico.plan.web.files.mime import TYPES
from portico.plan.web.model import Web

_VARIABLE = re.compile(r"\$\w+")
_NAMES_A_SITE = 128
"""Both tables are powers of two as a whole."""
_LEAST = 2048
KEEPS_IDLE_SINCE = (1, 27, 4)
"""nginx has `keepalive_min_timeout` from here on."""
_SLOW_CLIENTS = "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_header_timeout"


def http(web: Web) -> Directive:
    """The http block, whole."""
    of_site = own(web)
    of = [*shared(web.place), *room(1 + len(web.hosts.declared)), *_used(maps(), of_site), *of_site]
    return block("http", why="everything HTTP", of=settled(of) if web.own.above else of)


def shared(place: Place) -> list[Directive]:
    """What is the same for every site, so that several on one gateway need it once: it is not told the site."""
    return [
        *_basics(),
        *_connections(place.nginx),
        *_heads(),
        *_temporary(Paths.of(place)),
        *clients(place),
        *compression(place),
    ]


def room(sites: int, cause: str = "") -> list[Directive]:
    """Room in nginx's tables for what so many sites define."""
    size = max(_LEAST, 1 << (sites * _NAMES_A_SITE).bit_length())
    why = "room for variables and host names, without a warning"
    return [
        directive("variables_hash_max_size", size, why=why, cause=cause),
        directive(
            "variables_hash_bucket_size", 128, why="names that begin with a site's are long", cause=cause
        ),
        directive("server_names_hash_max_size", size, why=why, cause=cause),
    ]


def maps() -> list[Directive]:
    """The variables that no option changes. Each names only those before it."""
    return [
        *page_maps(),
        *failure_maps(),
        *_upgrade(),
        *copy_maps(),
        *cache_maps(),
        *log_maps(),
    ]


def _used(made: list[Directive], tree: Iterable[Directive]) -> list[Directive]:
    """Those of the maps whose variable the tree names, or another of them that is used."""
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
    """What is the site's own; `nginx.part` makes of it what can stand beside other sites."""
    return [
        *_sizes(web),
        *_buffers(web),
        *tables(web),
        *static_maps(web),
        *spa_maps(web),
        *trust(web),
        *host_maps(web),
        *tracing_maps(web),
        *tls.https_variable(web),
        *tls.variables(web),
        *tls.hsts(web),
        *log(web),
        *private_map(web),
        *cache_zone(web),
        *upload_map(web),
        *limit_zones(web),
        *resolver(web),
        upstream(web),
        *servers(web),
        *endpoint_servers(web),
        *in_http(web),
    ]


def _basics() -> list[Directive]:
    return [
        directive("server_tokens", "off", why="strangers need not know the version"),
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


def _connections(build: NginxBuild) -> list[Directive]:
    made = [
        directive(
            "client_header_timeout", time(transfer.HEAD_SECONDS),
            why="a client that sends its head too slowly is closed; nginx counts it against no address before "
            "the head is complete, so this time is the bound",
            source=_SLOW_CLIENTS,
        ),
        directive(
            "client_body_timeout", time(transfer.BODY_PAUSE_SECONDS),
            why="between two reads of a body: a long upload goes on",
        ),
        directive(
            "send_timeout", time(transfer.SEND_PAUSE_SECONDS),
            why="between two writes: a slow download goes on, a dead one ends",
        ),
        directive("reset_timedout_connection", "on", why="frees what a dead client held at once"),
        directive(
            "keepalive_timeout", time(transfer.IDLE_SECONDS), why="a browser's next click uses the same connection"
        ),
    ]  # fmt: skip
    if build.since(*KEEPS_IDLE_SINCE):
        made.append(
            directive(
                "keepalive_min_timeout",
                time(transfer.LEAST_IDLE_SECONDS),
                why="on a reload, idle connections stay open a while: without it 320 of 2 016 requests were lost "
                "in 20 reloads, with it none",
            )
        )
    return made


def _sizes(web: Web) -> list[Directive]:
    return [
        directive(
            "client_max_body_size", int(web.transfer.largest_body),
            why="nginx refuses a larger upload with 413, before it costs anything",
            cause=web.transfer.body_cause,
        ),
    ]  # fmt: skip


def _heads() -> list[Directive]:
    return [
        directive(
            "request_pool_size", "16k",
            why="a page from the cache fits into one piece of memory, and pieces of this size are kept by the embedded "
            "nginx's allocator; others are got from the kernel and given back, which can cost as much as all the rest",
        ),
        directive("client_body_buffer_size", "64k", why="small forms stay in memory, larger bodies go to disk"),
        directive(
            "large_client_header_buffers", 16, f"{transfer.LINE_KIB}k",
            why=f"a header or an address may have {transfer.LINE_KIB} KiB; HTTP/2 has no page for more than all of "
            f"these: heads above {HEAD_KIB} KiB are refused later, where the app is asked",
        ),
    ]  # fmt: skip


def _buffers(web: Web) -> list[Directive]:
    link, (room, why) = dialect(web), _answer_head(web.place.nginx)
    return [
        directive(f"{link}_buffer_size", f"{room}k", why=why),
        directive(
            f"{link}_busy_buffers_size", f"{max(room, 32)}k", why="nginx requires at least the room for the head here",
        ),
        directive(
            f"{link}_buffers", 6, "16k",
            why="takes a whole page from the worker at once: a slow client keeps nginx busy, not the app",
        ),
        directive(
            f"{link}_max_temp_file_size", f"{web.transfer.answer_on_disk >> 10}k",
            why="so much of an answer waits on disk for a slow client, and the app is free; a larger one goes "
            "on at the client's speed. If slow clients hold every connection, a quarter of the disk is used",
            cause=web.transfer.disk_cause,
        ),
    ]  # fmt: skip


def _answer_head(build: NginxBuild) -> tuple[int, str]:
    """The room for the head of an answer, in KiB, and why."""
    if build.origin == "embedded":
        return 24, (
            "room for the head of an answer; the embedded nginx asks the kernel for each larger piece, 8 to 19 us of "
            "CPU for every request"
        )
    return transfer.ANSWER_KIB + 8, (
        f"room for an answer's head of {transfer.ANSWER_KIB} KiB, its status line and the numbers of the worker; "
        "memory that an answer does not fill is never touched"
    )


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
    ]  # fmt: skip
