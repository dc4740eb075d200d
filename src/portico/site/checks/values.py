"""What a value must be beyond its type: one rule a key, each saying what was expected and what to do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from portico import proxy_headers
from portico.site import waf_exception
from portico.site.checks.headers import HEADER_RULES, broken_headers, has_https
from portico.site.checks.https import HTTPS_RULES, address_of
from portico.site.checks.limits import LIMIT_RULES, broken_limits
from portico.site.options import BELIEVED, Options
from portico.site.options.edge import Edge
from portico.site.pattern import pattern
from portico.site.proxies import KNOWN_PROXIES
from portico.site.upstream_server import APP, Server, is_interval
from portico.values import Address, Duration, Size

_DOMAIN = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.I | re.A
)
_URL_PATH = re.compile(r"/[A-Za-z0-9._~/@:+-]*")
_QUERY = re.compile(r"[A-Za-z0-9._~/@:+%=&-]*")
_DOTS = re.compile(r"//|/\.\.?(/|$)")
_LARGEST_UPLOAD = 1 << 40
_MOST_REQUESTS = 1 << 40
_LEAST_MEMORY = Size(32 << 20)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_LONGEST_TIMEOUT = 3600
_SHORTEST_QUEUE = 0.01
_LEAST_LOG = Size(1 << 20)
_LEAST_AGE = 60
_MOST_KEPT = 1000
_VARIABLES = re.compile(r"(\$[a-z][a-z0-9_]*)+")
_LONGEST_CACHE = 365 * 86400
_VARY = re.compile(r"[A-Za-z0-9-]+|cookie:[A-Za-z0-9_]+")
_LEAST_CACHE = Size(1 << 20)
_COOKIE = re.compile(r"[A-Za-z0-9_-]+")
NOWHERE = "none"
"""As tracing.endpoint: traces, but no spans are sent."""
_COLLECTOR = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/@:+%-]*)?")


@dataclass(frozen=True)
class BrokenRule:
    """A value that cannot be used: the dotted key, what is wrong, what to do."""

    key: str
    what: str
    hint: str


def broken_rules(options: Options) -> list[BrokenRule]:
    """Every rule the options break, in the order of the keys."""
    found = [BrokenRule(key, what, hint) for key, rule in _RULES.items() for what, hint in rule(options)]
    names = broken_headers(options.headers.set, has_https=has_https(options))
    return [*found, *(BrokenRule(f"headers.set.{name}", what, hint) for name, what, hint in names)]


def broken_edge(edge: Edge, options: Options) -> Iterator[BrokenRule]:
    """Every rule that the settings of one route break."""
    if edge.timeout is not None and not 1 <= edge.timeout <= _LONGEST_TIMEOUT:
        yield BrokenRule("timeout", f"timeout: {edge.timeout} is out of range", "expected 1s to 1h")
    if edge.max_upload is not None and not 1 <= edge.max_upload <= _LARGEST_UPLOAD:
        yield BrokenRule(
            "max_upload", f"max_upload: {edge.max_upload} is out of range", "expected 1B to 1024GiB"
        )
    for name, what, hint in broken_headers(edge.headers, has_https=has_https(options)):
        yield BrokenRule("headers", f"headers: {name} {what}", hint)
    yield from _broken_cache(edge)
    for broken in broken_limits(edge):
        yield BrokenRule(*broken)


def _broken_cache(edge: Edge) -> Iterator[BrokenRule]:
    if edge.cache is None:
        if edge.vary:
            yield BrokenRule(
                "vary", "vary says what a cached answer depends on, and the route has no cache", "add cache"
            )
        return
    if not 1 <= edge.cache <= _LONGEST_CACHE:
        yield BrokenRule("cache", f"cache: {edge.cache} is out of range", "expected 1s to 365d")
    if edge.private or edge.stream:
        other = "private" if edge.private else "stream"
        yield BrokenRule("cache", f"cache and {other} exclude each other", "remove one of them")
    for name in edge.vary:
        if not _VARY.fullmatch(name):
            hint = (
                "expected a request header such as Accept-Language, or cookie:NAME with letters, digits and _"
            )
            yield BrokenRule("vary", f'vary: "{name}" is neither a header nor a cookie', hint)


_Broken = Iterator[tuple[str, str]]


def _name(options: Options) -> _Broken:
    if options.name and not _NAME.fullmatch(options.name):
        yield (
            f'"{options.name}" cannot name a directory',
            "expected letters, digits, '.', '_' and '-', at most 41",
        )


def _domains(options: Options) -> _Broken:
    for domain in options.domains:
        if (address := address_of(domain)) is not None:
            right = str(address).partition("%")[0]
            if right != domain:
                yield f'"{domain}" is an address in another spelling', f"write it as {right}"
        elif not _DOMAIN.fullmatch(domain):
            yield (
                f'"{domain}" is not a host name',
                "expected a name like shop.example, without scheme, port or path",
            )


def _mount(options: Options) -> _Broken:
    if not _URL_PATH.fullmatch(options.mount) or _DOTS.search(options.mount):
        yield f'"{options.mount}" is not a URL prefix', "expected a path that begins with /, like /shop"
    elif (options.mount + "/").startswith("/-/"):
        yield f'"{options.mount}" is taken', "paths under /-/ are Portico's own; choose another prefix"


def _health(options: Options) -> _Broken:
    path, _, query = options.health.partition("?")
    if not _URL_PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        yield f'"{options.health}" is not a URL path', "expected a path that begins with /, like /healthz"


def _behind(options: Options) -> _Broken:
    yield from _ranges([entry for entry in options.behind if entry not in KNOWN_PROXIES], KNOWN_PROXIES)


def _behind_only(options: Options) -> _Broken:
    if options.behind_only and not options.behind:
        yield (
            "nobody is in front: every connection would be closed",
            'name the proxies: behind = ["cloudflare"]',
        )


def _behind_headers(options: Options) -> _Broken:
    known = (*BELIEVED, "host", "prefix")
    for word in options.behind_headers or ():
        if word not in known:
            yield f'"{word}" is no kind of header that a proxy sends', f"expected one of: {', '.join(known)}"
    if options.behind_headers and not (options.behind or options.node.gateways):
        yield "no proxy is declared that could send it", "name its addresses in behind"
    if (
        "prefix" in (options.behind_headers or ())
        and options.workers.server == "uwsgi"
        and options.mount != "/"
    ):
        yield (
            "uWSGI takes its own mount off the path, and knows no prefix before it",
            "leave mount or prefix out",
        )


def _behind_protocol(options: Options) -> _Broken:
    if options.behind_protocol != "proxy":
        return
    if options.node.gateways:
        yield "gateways speak HTTP to this host, not the PROXY protocol", "leave one of the two out"
    elif not options.behind:
        yield "no proxy is declared that could speak it", "name the addresses of the load balancer in behind"


def _client_headers(options: Options) -> _Broken:
    for name in options.client_headers:
        if not proxy_headers.kind(name):
            yield f'"{name}" is no header that Portico removes from the requests of clients', "leave it out"


def _gateways(options: Options) -> _Broken:
    yield from _ranges(options.node.gateways, ())


def _ranges(entries: list[str], words: Collection[str]) -> _Broken:
    """Address ranges, where some words would do as well."""
    for entry in entries:
        try:
            network = ipaddress.ip_network(entry.replace("%", "x"), strict=False)
        except ValueError:
            known = f", or one of: {', '.join(sorted(words))}" if words else ""
            yield f'"{entry}" is not an address range', f"expected a range like 10.0.0.0/8{known}"
            continue
        if network.prefixlen == 0:
            yield (
                f'"{entry}" trusts the whole internet',
                "name the ranges of the proxies that are really in front",
            )


def _request_timeout(options: Options) -> _Broken:
    if not 1 <= options.request_timeout <= _LONGEST_TIMEOUT:
        yield f"{options.request_timeout} is out of range", "expected 1s to 1h"


def _queue(options: Options) -> _Broken:
    queue = options.workers.queue
    if queue and not _SHORTEST_QUEUE <= queue <= options.request_timeout / 2:
        longest = Duration(options.request_timeout / 2)
        yield (
            f"{queue} is out of range",
            f"expected 10ms to {longest}, half of request_timeout; or 0s for no bound",
        )


def _start_timeout(options: Options) -> _Broken:
    if not 1 <= options.start_timeout <= _LONGEST_TIMEOUT:
        yield f"{options.start_timeout} is out of range", "expected 1s to 1h"


def _max_upload(options: Options) -> _Broken:
    if options.max_upload is not None and options.max_upload < 1:
        yield (
            "0 would refuse every request with a body",
            "expected at least 1B; nginx's 0 for 'no limit' is not offered",
        )
    if options.max_upload is not None and options.max_upload > _LARGEST_UPLOAD:
        yield f"{options.max_upload} is more than nginx can count", "expected at most 1024GiB"


def _count(options: Options) -> _Broken:
    if isinstance(options.workers.count, int) and not 1 <= options.workers.count <= 512:
        yield f"{options.workers.count} is out of range", 'expected 1 to 512, or "auto"'


def _threads(options: Options) -> _Broken:
    if isinstance(options.workers.threads, int) and not 1 <= options.workers.threads <= 512:
        yield f"{options.workers.threads} is out of range", 'expected 1 to 512, or "auto"'


def _max_requests(options: Options) -> _Broken:
    if not 0 <= options.workers.max_requests <= _MOST_REQUESTS:
        yield f"{options.workers.max_requests} is out of range", f"expected 0 (never) to {_MOST_REQUESTS}"


def _max_memory(options: Options) -> _Broken:
    size = options.workers.max_memory
    if size is not None and not _LEAST_MEMORY <= size <= _LARGEST_UPLOAD:
        yield f"{size} is out of range", f"expected {_LEAST_MEMORY} to 1024GiB; Python itself takes 20MiB"


def _static(options: Options) -> _Broken:
    for url, folder in options.static.items():
        if not _URL_PATH.fullmatch(url) or not url.endswith("/") or url == "/" or _DOTS.search(url):
            yield f'"{url}" is not a URL prefix', 'expected a path with both slashes, like "/media/"'
        if url.startswith("/-/"):
            yield f'"{url}" is taken', "paths under /-/ are Portico's own; choose another URL"
        if "$" in folder or not folder:
            yield f'"{folder}" cannot be written for nginx', "expected a directory whose path has no $"


def _spa(options: Options) -> _Broken:
    if "$" in options.spa:
        yield f'"{options.spa}" cannot be written for nginx', "expected a directory whose path has no $"


def _waf_except(options: Options) -> _Broken:
    for text in options.guard.waf_except:
        try:
            waf_exception.parse(text)
        except ValueError as error:
            what, _, hint = str(error).partition("; ")
            yield what, hint


def _others(options: Options) -> _Broken:
    for rule in options.guard.others or ():
        try:
            if not rule.startswith("/"):
                raise ValueError("it does not begin with /")
            pattern(rule)
        except ValueError as error:
            yield f'"{rule}" is not a rule: {error}', 'expected a rule such as "/old/<path:rest>"'


def _cache_size(options: Options) -> _Broken:
    size = options.cache.size
    if size and not _LEAST_CACHE <= size <= _LARGEST_UPLOAD:
        yield f"{size} is out of range", f"expected {_LEAST_CACHE} to 1024GiB, or 0B for no cache"


def _cache_item(options: Options) -> _Broken:
    if not 1 <= options.cache.item <= _LARGEST_UPLOAD:
        yield f"{options.cache.item} is out of range", "expected 1B to 1024GiB"


def _servers(options: Options) -> _Broken:
    servers = []
    for text in options.upstream.servers:
        try:
            servers.append(Server.parse(text))
        except ValueError as error:
            yield f'"{text}" is not a server', str(error)
    if len(servers) < len(options.upstream.servers) or not servers:
        return
    names = [server.name for server in servers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'"{name}" is named twice', "write it once, with a weight"
    protocols = sorted({server.protocol for server in servers if not server.is_app})
    if len(protocols) > 1:
        yield (
            f"the servers speak {' and '.join(protocols)}, and nginx speaks one protocol to an upstream",
            "give them all the same; a bare address is http",
        )
    if all(server.is_backup for server in servers):
        yield "every server is a backup", "remove the word from at least one"
    if APP not in names and options.app is not None:
        yield (
            f'the app "{options.app}" would not be among them',
            'add "app" to the servers, or leave the app out',
        )


def _method(options: Options) -> _Broken:
    method, servers = options.upstream.method, options.upstream.servers
    if method in ("ip_hash", "hash", "random_two") and any("backup" in text.split() for text in servers):
        yield f'"{method}" knows no backup servers', "use round_robin, least_conn or least_time"


def _hash_key(options: Options) -> _Broken:
    if not _VARIABLES.fullmatch(options.upstream.hash_key):
        yield (
            f'"{options.upstream.hash_key}" is not made of nginx variables',
            "expected $request_uri, $remote_addr, $cookie_NAME or the like",
        )


def _sticky(options: Options) -> _Broken:
    sticky = options.upstream.sticky
    if sticky and not _COOKIE.fullmatch(sticky):
        yield f'"{sticky}" cannot name a cookie', "expected letters, digits, _ and -"


def _check(options: Options) -> _Broken:
    if not is_interval(options.upstream.check):
        yield f"{options.upstream.check} is out of range", "expected 100ms to 1h, or 0s for never"


def _check_path(options: Options) -> _Broken:
    path, _, query = options.upstream.check_path.partition("?")
    if (path and not _URL_PATH.fullmatch(path)) or not _QUERY.fullmatch(query):
        yield (
            f'"{options.upstream.check_path}" is not a URL path',
            "expected a path that begins with /, like /healthz",
        )


def _tls_name(options: Options) -> _Broken:
    name = options.upstream.tls_name
    if name:
        if not _DOMAIN.fullmatch(name):
            yield f'"{name}" is not a host name', "expected a name like app.internal"
        return
    try:
        servers = [Server.parse(text) for text in options.upstream.servers]
    except ValueError:
        return  # said by the rule of the servers
    if len({server.host for server in servers if server.protocol == "https"}) > 1:
        yield (
            "the https servers have different hosts, and nginx expects one name in their certificates",
            "name it in upstream.tls_name",
        )


def _resolver(options: Options) -> _Broken:
    for entry in options.upstream.resolver:
        host, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "53")
        try:
            ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            is_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
        except ValueError:
            is_port = False
        if not is_port or "%" in entry:
            yield (
                f'"{entry}" is not a name server',
                "expected an IP address like 10.0.0.53, or 127.0.0.1:5353",
            )


def _log_size(options: Options) -> _Broken:
    if 0 < options.log.size < _LEAST_LOG:
        yield (
            f"{options.log.size} holds only a few hundred requests",
            "expected at least 1MiB, or 0B for never",
        )


def _log_age(options: Options) -> _Broken:
    if 0 < options.log.age < _LEAST_AGE:
        yield f"{options.log.age} is too short", "expected at least 1m, or 0s for never"


def _log_keep(options: Options) -> _Broken:
    if not 1 <= options.log.keep <= _MOST_KEPT:
        yield f"{options.log.keep} is out of range", f"expected 1 to {_MOST_KEPT}"


def _trace_mask(options: Options) -> _Broken:
    for name in options.trace.mask:
        if not _COOKIE.fullmatch(name):
            yield f'"{name}" is no name of a header or a parameter', "expected a name like X-Customer"


def _metrics_listen(options: Options) -> _Broken:
    yield from _own_door(options, options.metrics.listen, options.dashboard.listen)


def _dashboard_listen(options: Options) -> _Broken:
    yield from _own_door(options, options.dashboard.listen, None)


def _tracing_endpoint(options: Options) -> _Broken:
    endpoint = options.tracing.endpoint
    if endpoint in ("", NOWHERE) or _COLLECTOR.fullmatch(endpoint):
        return
    hint = (
        f"expected a URL such as http://127.0.0.1:4318, or {NOWHERE}; secrets belong in tracing.headers_file"
    )
    yield f'"{endpoint}" is no address of a collector', hint


def _tracing_sample(options: Options) -> _Broken:
    if not 0 <= options.tracing.sample <= 1:
        yield f"{options.tracing.sample} is no share", "expected a number from 0 to 1"


def _tracing_service(options: Options) -> _Broken:
    if not options.tracing.service.isprintable():
        yield "a service name has no control characters", "expected a name such as shop"


def _own_door(options: Options, address: Address | None, other: Address | None) -> _Broken:
    if address and address in (options.listen, other):
        yield f"{address} is taken: something else of this site listens there", "choose another port"


_RULES: dict[str, Callable[[Options], _Broken]] = {
    "name": _name,
    "domains": _domains,
    "mount": _mount,
    "behind": _behind,
    "behind_only": _behind_only,
    "behind_headers": _behind_headers,
    "behind_protocol": _behind_protocol,
    "client_headers": _client_headers,
    "request_timeout": _request_timeout,
    "max_upload": _max_upload,
    "health": _health,
    "start_timeout": _start_timeout,
    "workers.count": _count,
    "workers.threads": _threads,
    "workers.max_requests": _max_requests,
    "workers.max_memory": _max_memory,
    "workers.queue": _queue,
    "static": _static,
    "spa": _spa,
    **LIMIT_RULES,
    "guard.waf_except": _waf_except,
    "guard.others": _others,
    "cache.size": _cache_size,
    "cache.item": _cache_item,
    "upstream.servers": _servers,
    "upstream.method": _method,
    "upstream.hash_key": _hash_key,
    "upstream.sticky": _sticky,
    "upstream.check": _check,
    "upstream.check_path": _check_path,
    "upstream.tls_name": _tls_name,
    "upstream.resolver": _resolver,
    "node.gateways": _gateways,
    **HTTPS_RULES,
    **HEADER_RULES,
    "log.size": _log_size,
    "log.age": _log_age,
    "log.keep": _log_keep,
    "trace.mask": _trace_mask,
    "metrics.listen": _metrics_listen,
    "dashboard.listen": _dashboard_listen,
    "tracing.endpoint": _tracing_endpoint,
    "tracing.sample": _tracing_sample,
    "tracing.service": _tracing_service,
}
