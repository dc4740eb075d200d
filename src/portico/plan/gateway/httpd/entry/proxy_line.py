"""The PROXY protocol: httpd lists those that do not speak it, so every network but the declared ones is on the list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.model import Web

_LOOPBACK = ("127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")
"""httpd takes no network of length 0."""


def declared(web: Web) -> tuple[str, ...]:
    """The networks of the declared proxies."""
    return web.trust.proxies.networks if web.trust.proxies else ()


def own_hosts(web: Web) -> tuple[str, ...]:
    """The addresses from which Portico itself asks: it sends that line as well."""
    at = (*web.listeners.plain, *web.listeners.tls)
    return tuple(dict.fromkeys((*_LOOPBACK, *(one.host for one in at if not one.is_wildcard))))


def first_line_exceptions(web: Web) -> list[Directive]:
    """For the whole configuration: who does not speak the PROXY protocol. The first line of such a client is 400."""
    cause = web.trust.protocol_cause
    why = "all others than the declared proxies and this machine: whoever names a client there gets 400"
    others = list(map(str, _without((*declared(web), *own_hosts(web)))))
    return [directive("RemoteIPProxyProtocolExceptions", *others, why=why, cause=cause)] if others else []


def _without(networks: Iterable[str]) -> Iterator[IPv4Network | IPv6Network]:
    """Every network but these."""
    kept: list[IPv4Network | IPv6Network] = list(map(ip_network, _EVERYWHERE))
    for net in (ip_network(one, strict=False) for one in networks):
        kept = [left for one in kept for left in _cut(one, net)]
    yield from collapse_addresses(one for one in kept if isinstance(one, IPv4Network))
    yield from collapse_addresses(one for one in kept if isinstance(one, IPv6Network))


def _cut(
    one: IPv4Network | IPv6Network, net: IPv4Network | IPv6Network
) -> Iterator[IPv4Network | IPv6Network]:
    """What is left of one network without another."""
    if one.version != net.version or not one.overlaps(net):
        yield one
    elif one.prefixlen < net.prefixlen:
        yield from one.address_exclude(net)  # type: ignore[arg-type]
