"""The cache: nginx stores what the app marks as public, and nothing else.

nginx alone would store too much (`max-age` without `public`) and does not understand `Age` or a `*` in a list of
Vary, so maps of the response headers decide. An answer without Cache-Control, the usual case, costs one map lookup.
"""

from __future__ import annotations

from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.plan import decisions
from portico.plan.gateway.nginx.app.cache_maps import longer, of_answer, of_client, of_request
from portico.plan.gateway.nginx.app.cache_routes import fills, route_maps
from portico.plan.gateway.nginx.app.link import dialect
from portico.plan.gateway.nginx.app.users import proof
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.entry.host_header import host_seen
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.names import header_word, name_of, variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.paths import Paths
from portico.plan.web.app.cache import TAG_HEADERS, UNUSED_SECONDS, Cache
from portico.plan.web.model import Web

_BYTES_A_KEY = 128
"""8 000 keys a megabyte, https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_path"""
_SMALL_ITEM = 4096
_VALIDATORS = {
    "If-None-Match": "$upstream_cache_etag",
    "If-Modified-Since": "$upstream_cache_last_modified",
    "If-Match": "",
    "If-Unmodified-Since": "",
    "Range": "",
    "If-Range": "",
}
"""Headers that nginx withholds where it caches, and those that it sends instead to revalidate a stale answer."""
_PROOF = (
    "nginx ignores an empty one, and would cache the answer for others: so the app does not get it either"
)


def cache_zone(web: Web) -> list[Directive]:
    """At http level: the store, and the maps that decide what is stored."""
    cache = web.cache
    if cache is None:
        return []
    link = dialect(web)
    keys = max(10, -(-cache.size * _BYTES_A_KEY // _SMALL_ITEM >> 20))
    return [
        directive(
            f"{link}_cache_path", Paths.of(web.place).cache, "levels=2", f"keys_zone={name_of(web, 'cache')}:{keys}m",
            f"max_size={cache.size >> 10}k", f"inactive={UNUSED_SECONDS // 3600}h", "use_temp_path=off",
            why="the stored answers: keys in memory, the rest in files, of which the system keeps popular "
            "ones in memory. An entry that nobody asked for in an hour is removed; when there is no room, the "
            "least used one",
            cause=cache.size_cause,
        ),
        *_kept_in(web, cache),
        _too_long(web, cache),
        *(_validators(web) if cache.cached_routes else []),
        *(_peer(web, cache) if _tells_peer(web) else []),
        *route_maps(web, cache),
    ]  # fmt: skip


def cache_rules(web: Web) -> list[Directive]:
    """At server level: what is stored and what is not; a location must opt in."""
    cache = web.cache
    if cache is None:
        return []
    link = dialect(web)
    made = [
        directive(
            f"{link}_cache_key", key(web),
            why="one answer for each scheme, host and URL, and for each header that Vary names",
        ),
        directive(
            f"{link}_cache_bypass", "$portico_asks_anew",
            why="a client that sends no-cache gets a new answer, which is stored if allowed",
        ),
        directive(
            f"{link}_no_cache", "$portico_unmarked", *never(web),
            why="only answers that the app marks public or s-maxage are stored; nginx itself leaves out those "
            "that set a cookie",
        ),
        directive(
            f"{link}_cache_use_stale", *stale(web),
            why="when the app fails or is down, the last answer is better than none",
        ),
        directive(
            f"{link}_cache_background_update", "on",
            why="stale-while-revalidate: the stored answer goes out at once while nginx fetches a new one",
            source="https://www.rfc-editor.org/rfc/rfc5861",
        ),
        directive(
            f"{link}_cache_revalidate", "on", why="asks the app only whether an old answer is still valid (304)"
        ),
        directive(
            f"{link}_pass_header", "Date",
            why="the app's own Date tells a browser the age of a stored answer",
        ),
        *(
            directive(f"{link}_hide_header", name, why="tags are for portico purge alone")
            for name in TAG_HEADERS
        ),
        *_asked(web, cache),
        *(_told_peer(web) if _tells_peer(web) else []),
    ]  # fmt: skip
    if link == "proxy":
        why = "a HEAD stays a HEAD: many answers are never stored, and the app would make their bodies for nothing"
        made.append(directive("proxy_cache_convert_head", "off", why=why))
    if cache.cached_routes:
        why = "a cached route sets it: nginx fetches the whole answer, also for a client that has it already"
        made.append(directive("set", fills(web), "", why=why, cause=decisions.ROUTES))
    return made


def use_cache(web: Web) -> Directive:
    """In a location that the app answers."""
    return directive(
        f"{dialect(web)}_cache", variable(web, "kept_in"),
        why="answers that the app marks as public are stored; a request with Authorization or a body "
        "never gets one",
    )  # fmt: skip


def no_cache(web: Web) -> Directive:
    """In a route whose answers no cache may store."""
    return directive(f"{dialect(web)}_cache", "off", why="no answer here is ever stored")


def status_headers(web: Web) -> list[Directive]:
    """The header that shows how the cache took part, for a client that asks."""
    if web.cache is None:
        return []
    return [
        directive(
            "add_header", "Cache-Status", "$portico_cache_status", "always",
            why="how the cache took part (RFC 9211), for a request that has a Cache-Status header itself",
            source="https://www.rfc-editor.org/rfc/rfc9211",
        )
    ]  # fmt: skip


def key(web: Web) -> str:
    """The key of an entry, as an nginx expression; it includes the access rules under which the answer was stored."""
    rules = f" {web.access.rules}" if web.access.rules else ""
    return f"{scheme(web)}://{host_seen(web)}$request_uri{rules}"


def stale(web: Web) -> list[str]:
    """When a stale answer is better than none."""
    gateway = ["http_502", "http_504"] if dialect(web) == "proxy" else []
    return ["error", "timeout", "invalid_header", "http_500", "http_503", *gateway]


def never(web: Web) -> list[str]:
    """Variables that are 1 if an answer must not be stored."""
    return [
        "$portico_refused", "$portico_not_asked", "$portico_is_head", "$portico_is_odd", "$portico_any_vary",
        variable(web, "too_long"), "$portico_is_timed", "$portico_shows_origin", "$portico_shows_coding",
    ]  # fmt: skip


def cache_maps() -> list[Directive]:
    """Variables of every cache, at http level."""
    return [*of_request(), *of_answer(), *_validators(), *of_client()]


def _kept_in(web: Web, cache: Cache) -> list[Directive]:
    checks = web.access.checks
    if checks is not None:
        of_path, why = variable(web, "kept_by_path"), "an answer for a client who is known is not for others"
        known = by_path(web, "kept_in", checks, dict.fromkeys(checks.values, "off"), why, nothing=of_path)
        return [*_kept(web, cache, "kept_by_path"), known]
    return _kept(web, cache, "kept_in")


def _kept(web: Web, cache: Cache, word: str) -> list[Directive]:
    name = variable(web, "kept_of" if cache.protected else word)
    zone = name_of(web, "cache")
    made = entries(
        "map", "$content_length:$http_transfer_encoding:$http_authorization", name,
        table=[("default", "off"), ("::", zone), ("0::", zone)],
        why="a request with credentials or with a body is never answered from the cache",
    )  # fmt: skip
    if not cache.protected:
        return [made]
    why = (
        "static files that the app may protect: the framework marks them public all the same, and a cached "
        "one would reach everybody"
    )
    table = [("default", name), *((f"~{pattern}", "off") for pattern in cache.protected)]
    return [
        made,
        entries("map", "$uri", variable(web, word), table=table, why=why, cause=decisions.PROTECTED),
    ]


def _too_long(web: Web, cache: Cache) -> Directive:
    has_lengths = dialect(web) != "proxy"
    return entries(
        "map", "$upstream_http_content_length", variable(web, "too_long"),
        table=[("default", "0"), ("", "1" if has_lengths else "0"), (longer(cache.item), "1")],
        why="1 for an answer that is too long to be stored"
        + (", or is streamed and does not tell" if has_lengths else ""),
        cause=cache.item_cause,
    )  # fmt: skip


def _validators(web: Web | None = None) -> list[Directive]:
    """The validators of every site; with a web, those of a site where some routes are fetched whole."""
    why = (
        "what the app is asked about the client's own copy; when nginx has an old answer, about that one: its 304 "
        "must not be taken for the client's"
    )
    table = {name: [("default", _client(name)), ("EXPIRED", kept)] for name, kept in _VALIDATORS.items()}
    if web:
        table = {name: [*rows, ("1EXPIRED", _VALIDATORS[name]), ("~^1", "")] for name, rows in table.items()}
    looked_at = f"{fills(web) if web else ''}$upstream_cache_status"
    return [
        entries("map", looked_at, _validator(name, web), table=rows, why=why) for name, rows in table.items()
    ]


def _asked(web: Web, cache: Cache) -> list[Directive]:
    """nginx would withhold these headers from the app where it caches, also for answers that are not stored."""
    why = (
        "nginx would withhold it where it caches: a file sent in ranges, or a 304, stays the app's to answer"
    )
    of_site = web if cache.cached_routes else None
    wanted = [(name, _validator(name, of_site), why) for name in _VALIDATORS]
    wanted.append(("Authorization", proof(web), _PROOF))
    if dialect(web) == "proxy":
        return [directive("proxy_set_header", name, value, why=why) for name, value, why in wanted]
    made = [
        directive("uwsgi_param", f"HTTP_{name.upper().replace('-', '_')}", value, "if_not_empty", why=why)
        for name, value, why in wanted
    ]
    if dialect(web) == "uwsgi":
        return made
    source = "https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html#fastcgi_param"
    return [replace(item, name="fastcgi_param", source=source) for item in made]


def _tells_peer(web: Web) -> bool:
    """Whether the worker checks which clients have left; no other server uses that parameter."""
    return Feature.LEFT in web.app_server.features


def _peer(web: Web, cache: Cache) -> list[Directive]:
    direct = "$realip_remote_addr $realip_remote_port" if web.trust.proxies else "$remote_addr $remote_port"
    connection = f"{direct} $server_addr $server_port"
    return [
        entries(
            "map", f"{fills(web) if cache.cached_routes else ''}$upstream_cache_status", variable(web, "peer"),
            table=[("default", ""), ("MISS", connection), ("BYPASS", connection)],
            why="the client's connection, of a request whose answer the cache may keep: nginx does not hang up on the "
            "worker when such a client leaves. Empty where the answer is wanted anyway: an old one is renewed, or a "
            "route is cached",
            cause=decisions.QUEUE,
        )
    ]  # fmt: skip


def _told_peer(web: Web) -> list[Directive]:
    why = "lets the worker see that the client left while its request waited: then the app is not called"
    return [
        directive(
            "uwsgi_param",
            "PORTICO_PEER",
            variable(web, "peer"),
            "if_not_empty",
            why=why,
            cause=decisions.QUEUE,
        )
    ]


def _client(name: str) -> str:
    return f"$http_{header_word(name)}"


def _validator(name: str, web: Web | None) -> str:
    word = header_word(name)
    return variable(web, f"fill_{word}") if web else f"$portico_{word}"
