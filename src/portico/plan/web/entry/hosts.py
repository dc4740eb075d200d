"""The names of the site: which Host shows it, which redirects, and what happens to any other."""

from __future__ import annotations

from msgspec import Struct

from portico.place.model import Place
from portico.site.checks.https import has_addresses, host_of
from portico.site.model import Site
from portico.values import Address


class Hosts(Struct, frozen=True):
    """Names as a Host header has them: an IPv6 address in brackets, `*.` for every name below one."""

    declared: tuple[str, ...]
    """Every name of the site; without any, every Host shows it."""
    shown: tuple[str, ...]
    """Those that show the site."""
    redirected: tuple[str, ...]
    """Those that redirect to the canonical one."""
    canonical: str
    """The canonical name; empty if all are equal."""
    refuses_others: bool
    """Requests for any other Host are closed without an answer. A shared gateway does it for all its sites."""
    is_beside_others: bool
    """Other sites share the gateway."""
    has_addresses: bool
    """Some are IP addresses: their clients name no server in the TLS handshake (RFC 6066, section 3)."""
    urls: tuple[str, ...]
    """The URLs of the site for visitors, the canonical one first; none if other sites route to it."""
    cause: str
    canonical_cause: str


def hosts(site: Site, place: Place) -> Hosts:
    """The names of the site, and the role of each."""
    domains, canonical = site.options.domains, site.options.canonical
    redirected = {name for name in domains if canonical and name != canonical and not name.startswith("*")}
    return Hosts(
        declared=tuple(map(host_of, domains)),
        shown=tuple(host_of(name) for name in domains if name not in redirected),
        redirected=tuple(host_of(name) for name in domains if name in redirected),
        canonical=host_of(canonical),
        refuses_others=bool(domains) and not place.host_runtime,
        is_beside_others=bool(place.host_runtime),
        has_addresses=has_addresses(domains),
        urls=_urls(site),
        cause=site.cause("domains"),
        canonical_cause=site.cause("canonical"),
    )


def _urls(site: Site) -> tuple[str, ...]:
    scheme, usual = ("https", 443) if site.has_https else ("http", 80)
    if site.is_routed or not site.has_gateway:
        return ()
    at, canonical = site.public, site.options.canonical
    port = "" if at.port == usual else f":{at.port}"
    if site.options.domains:
        names = [canonical] if canonical else site.options.domains
        return tuple(f"{scheme}://{host_of(name)}{port}{site.prefix}/" for name in names)
    host = str(Address(at.near.host, 1))[:-2]
    if site.https_mode == "local":
        host = "localhost"  # the certificate contains it, too, and people remember it
    return (f"{scheme}://{host}{port}{site.prefix}/",)
