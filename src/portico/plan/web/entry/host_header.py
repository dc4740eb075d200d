"""The Host and the URL prefix that the app sees, and the ports of redirects: the client's, validated.

A client may reach Portico on another port than it listens on (a load balancer, a container's port mapping), so
Portico's own port is not used, as long as the client names one.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

from portico.site.model import Site


class Unnamed(Enum):
    """Which clients that name no port are redirected to 443: those of a proxy or a port mapping at 80."""

    ALL = auto()
    PROXIED = auto()
    NONE = auto()


class Host(Struct, frozen=True):
    """The Host and the prefix for the app, and the ports of redirects."""

    from_proxy: bool
    """A declared proxy may set the Host, if it is valid; with domains, only one of them."""
    prefix_from_proxy: bool
    """A declared proxy may set the prefix that it stripped from the path, if it is valid."""
    refuses_odd: bool
    """A request with an invalid Host is closed without an answer: a name with `*` would accept it."""
    port: int
    """Portico's own public port, if the client's is unknown; 0 for the default port of its scheme."""
    https_port: int
    """The port of redirects from plain HTTP; 0 for 443."""
    unnamed: Unnamed
    """Which clients of plain HTTP are redirected to 443 nevertheless."""
    cause: str
    prefix_cause: str


def host(site: Site) -> Host:
    """The trusted parts of the Host, and the ports of redirects."""
    return Host(
        from_proxy="host" in site.believed,
        prefix_from_proxy="prefix" in site.believed,
        refuses_odd=any(name.startswith("*.") for name in site.options.domains),
        port=0 if site.is_routed else _unusual(site.public.port, 443 if site.has_https else 80),
        https_port=_unusual(site.https_listen.port, 443),
        unnamed=_unnamed(site),
        cause=site.cause("behind_headers"),
        prefix_cause=site.cause("mount"),
    )


def _unusual(port: int, usual: int) -> int:
    return 0 if port == usual else port


def _unnamed(site: Site) -> Unnamed:
    """A client that names no port in plain HTTP used port 80: Portico's own ports matter only if 80 is among them."""
    if site.listen.port != 80:
        return Unnamed.ALL
    return Unnamed.PROXIED if site.proxies else Unnamed.NONE
