"""The gateway's addresses, and how a connection to them begins."""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.plan.paths import routed_socket
from portico.plan.web.ability import Ability
from portico.site.model import Site
from portico.values import Address

WANTED_BACKLOG = 4096
"""The backlog; the kernel's own default for net.core.somaxconn since 5.4."""


class Listeners(Struct, frozen=True):
    """Every address of the site, each written out: `*` is IPv4 and, if the machine has it, IPv6."""

    plain: tuple[Address, ...]
    """The addresses of plain HTTP."""
    plain_cause: str
    tls: tuple[Address, ...] = ()
    """The addresses of HTTPS; none without it."""
    tls_cause: str = ""
    quic: tuple[Address, ...] = ()
    """The UDP addresses of HTTP/3; none without it."""
    has_proxy_protocol: bool = False
    """Each TCP connection begins with the client's address (PROXY protocol)."""
    backlog: int = WANTED_BACKLOG
    """The backlog: connections that wait to be accepted."""
    routed: tuple[str, ...] = ()
    """The sockets at which other sites of the gateway reach this one, which then has no address."""

    @property
    def tcp(self) -> tuple[Address, ...]:
        """All addresses except UDP."""
        return (*self.plain, *self.tls)


def listeners(site: Site, place: Place, abilities: frozenset[Ability]) -> Listeners:
    """The addresses for clients."""
    tls = addresses(site.https_listen, place) if site.has_https else ()
    return Listeners(
        plain=addresses(site.listen, place) if site.has_gateway and not site.is_routed else (),
        plain_cause=site.cause("listen"),
        tls=tls,
        tls_cause=site.cause("https.listen"),
        quic=tls if _has_http3(site, place, abilities) else (),
        has_proxy_protocol=site.has_proxy_protocol,
        backlog=backlog(place),
        routed=tuple(routed_socket(place, front, site.name) for front in site.options.routed_by),
    )


def addresses(wanted: Address, place: Place) -> tuple[Address, ...]:
    """The concrete addresses of one address on this machine."""
    if wanted.host != "*":
        return (wanted,)
    v4 = Address("0.0.0.0", wanted.port)  # noqa: S104  that is what `:80` asks for
    return (v4, Address("::", wanted.port)) if place.has_ipv6 else (v4,)


def backlog(place: Place) -> int:
    """The backlog, as large as the kernel allows."""
    return min(WANTED_BACKLOG, place.somaxconn)


def _has_http3(site: Site, place: Place, abilities: frozenset[Ability]) -> bool:
    """Not on a shared gateway: a UDP address belongs to one server. The PROXY protocol is for TCP only."""
    return Ability.HTTP3 in abilities and not place.host_runtime and not site.has_proxy_protocol
