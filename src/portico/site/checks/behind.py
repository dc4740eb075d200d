"""Rules for the proxies of `behind` and the gateways of a node."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from portico import proxy_headers
from portico.app_servers.kind import Feature
from portico.app_servers.kinds import KINDS
from portico.site.checks.rule import Broken, Rules
from portico.site.options import BELIEVED, Options
from portico.site.proxies import KNOWN_PROXIES

_SOCKET = re.compile(r"/[A-Za-z0-9._/@+~-]+\.sock")


def _behind(options: Options) -> Broken:
    yield from _ranges([entry for entry in options.behind if entry not in KNOWN_PROXIES], KNOWN_PROXIES)


def _behind_only(options: Options) -> Broken:
    if options.behind_only and not options.behind:
        yield (
            "no proxy is declared: every connection would be closed",
            'name the proxies: behind = ["cloudflare"]',
        )


def _behind_headers(options: Options) -> Broken:
    known = (*BELIEVED, "host", "prefix")
    for word in options.behind_headers or ():
        if word not in known:
            yield (
                f'"{word}" is not a kind of header that proxies send',
                f"expected one of: {', '.join(known)}",
            )
    if options.behind_headers and not (options.behind or options.node.gateways or options.routed_by):
        yield "no proxy is declared that could send it", "name its addresses in behind"
    if "prefix" in (options.behind_headers or ()) and options.mount != "/":
        server = next(kind for kind in KINDS if kind.name == options.workers.server)
        if Feature.PREFIX not in server.features:
            what = f"{server.title} takes its own mount off the path, and does not support a prefix before it"
            yield what, "leave mount or prefix out"


def _behind_protocol(options: Options) -> Broken:
    if options.behind_protocol != "proxy":
        return
    if options.node.gateways:
        yield "gateways speak HTTP to this host, not the PROXY protocol", "leave one of the two out"
    elif not options.behind:
        yield (
            ("no proxy is declared that could send the PROXY protocol"),
            "name the addresses of the load balancer in behind",
        )


def _client_headers(options: Options) -> Broken:
    for name in options.client_headers:
        if not proxy_headers.kind(name) and name.lower() != proxy_headers.MIRRORED.lower():
            yield f'"{name}" is not a header that Portico removes from requests of clients', "leave it out"


def gateways(options: Options) -> Broken:
    """Rules for the gateways of [node]."""
    yield from _ranges(options.node.gateways, ())


def socket(options: Options) -> Broken:
    """Rules for the socket of [node]."""
    path = options.node.socket
    if not path:
        return
    if not _SOCKET.fullmatch(path) or "/./" in path or "/../" in path or "//" in path or path.count("/") == 1:
        yield (
            f'"{path}" is not the path of a socket in a directory of its own',
            "expected a path like /run/sockets/app.sock",
        )
    if options.node.gateways:
        yield "gateways reach a host by its address, not by a socket", "name one or the other"


def _ranges(entries: list[str], words: Collection[str]) -> Broken:
    """Rules for address ranges, in options that accept some names, too."""
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


BEHIND_RULES: Rules = {
    "behind": _behind,
    "behind_only": _behind_only,
    "behind_headers": _behind_headers,
    "behind_protocol": _behind_protocol,
    "client_headers": _client_headers,
}
