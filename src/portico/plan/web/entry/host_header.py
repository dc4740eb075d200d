"""The Host and the URL prefix that the app sees, and the ports of redirects: what the client asked for, validated.

A client may reach Portico at another port than it listens on (a load balancer, a container's port mapping), so that
nothing here is made of Portico's own port, as long as the client names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from portico.site.model import Site


class Unnamed(Enum):
    """Which clients that name no port are sent to 443: those that came by a proxy or a port mapping at 80."""

    ALL = auto()
    PROXIED = auto()
    NONE = auto()


@dataclass(frozen=True)
class Host:
    """What the app is told of the Host and the prefix, and where redirects lead."""

    from_proxy: bool
    """A declared proxy may say the Host, if it looks like one; with names declared, only one of them."""
    prefix_from_proxy: bool
    """A declared proxy may say the prefix that it took off the path, if it looks like one."""
    refuses_odd: bool
    """A Host that is no host name is closed without an answer: a name with `*` would take it."""
    port: int
    """Portico's own public port, where the client's cannot be known; 0 for the usual one of its scheme."""
    https_port: int
    """Where redirects from plain HTTP lead; 0 for 443."""
    unnamed: Unnamed
    """Which clients of plain HTTP are sent to 443 nevertheless."""
    cause: str
    prefix_cause: str


def host(site: Site) -> Host:
    """What of the Host is believed, and where redirects lead."""
    return Host(
        from_proxy="host" in site.believed,
        prefix_from_proxy="prefix" in site.believed,
        refuses_odd=any(name.startswith("*.") for name in site.options.domains),
        port=_unusual(site.public.port, 443 if site.has_https else 80),
        https_port=_unusual(site.https_listen.port, 443),
        unnamed=_unnamed(site),
        cause=site.cause("behind_headers"),
        prefix_cause=site.cause("mount"),
    )


def _unusual(port: int, usual: int) -> int:
    return 0 if port == usual else port


def _unnamed(site: Site) -> Unnamed:
    """Who names no port in plain HTTP came in at 80: then Portico's own ports say nothing unless 80 is among them."""
    if site.listen.port != 80:
        return Unnamed.ALL
    return Unnamed.PROXIED if site.proxies else Unnamed.NONE
