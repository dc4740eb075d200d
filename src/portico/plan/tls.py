"""HTTPS as values: the names, the addresses, the certificate. The gateway writes its lines."""

from __future__ import annotations

import ipaddress

from portico.place.model import Place
from portico.plan.files import Directory
from portico.plan.paths import Paths
from portico.plan.subjects import Acme, Tls
from portico.plan.web.model import Web
from portico.site.checks.https import ACME_SERVERS, address_of, has_addresses
from portico.site.model import Site

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
PRIVATE_ZONES = ("localhost", "test", "example", "local", "internal", "home.arpa")
"""Names that no public authority signs: RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`."""
PRIVATE_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1/128",
         "fc00::/7", "fe80::/10"),
    )
)  # fmt: skip
"""Addresses that are private to each network: RFC 1122, 1918, 3927, 4193, 4291 and 6598."""


def tls(web: Web) -> Tls | None:
    """The plan for HTTPS, None for plain HTTP."""
    site, place, spoken = web.site, web.place, web.tls
    if not spoken:
        return None
    https, paths = site.options.https, Paths.of(place)
    return Tls(
        mode=spoken.mode,
        names=_names(site),
        listen=web.listeners.tls,
        directory=paths.certificates,
        profile=spoken.profile,
        hsts=https.hsts,
        cert=site.path(https.cert),
        key=site.path(https.key),
        acme=_acme(site, place) if spoken.mode == "auto" else None,
        client_ca=spoken.clients.authority if spoken.clients else "",
        ca_file=place.ca_file,
        is_behind=web.trust.proxies is not None,
        space=web.space,
        local_ca=_local_ca(site, place),
        app_user=place.app_user,
        reader=site.reader,
        is_proxied=web.listeners.has_proxy_protocol,
    )


def tls_directories(web: Web) -> tuple[Directory, ...]:
    """The directories of keys and challenges."""
    if not web.tls:
        return ()
    place, paths = web.place, Paths.of(web.place)
    made = (Directory(paths.certificates, 0o700, is_secret=True),)
    if web.tls.mode not in ("auto", "files"):
        return made
    is_shared = 0o750 if place.gateway_group else 0o700
    return (*made, Directory(paths.challenges, is_shared, group=place.gateway_group))


def is_private(name: str) -> bool:
    """Whether this name or address is private everywhere."""
    if (address := address_of(name)) is not None:
        return any(address in network for network in PRIVATE_NETWORKS)
    bare = name.removeprefix("*.").lower()
    return any(bare == zone or bare.endswith(f".{zone}") for zone in PRIVATE_ZONES)


def _local_ca(site: Site, place: Place) -> str:
    """One authority for all sites with private names; a site with other names has its own, for those alone."""
    parent, _, own = place.state.rpartition("/")
    is_shared = all(map(is_private, site.options.domains))
    return f"{parent}/local-ca" if is_shared else f"{parent}/local-ca/{own}"


def _names(site: Site) -> tuple[str, ...]:
    if site.https_mode == "local":
        return tuple(dict.fromkeys((*site.options.domains, *LOCAL_NAMES, *_private_address(site))))
    return tuple(site.options.domains)


def _private_address(site: Site) -> tuple[str, ...]:
    """The address of a site in development for others on this network."""
    host = site.https_listen.host
    is_one = address_of(host) is not None and not site.https_listen.is_wildcard and is_private(host)
    return (host,) if is_one else ()


def _acme(site: Site, place: Place) -> Acme:
    https = site.options.https
    has_address = has_addresses(site.options.domains)
    staging = {
        "off": "",
        "": ACME_SERVERS["letsencrypt-staging"] if https.acme_server == "letsencrypt" else "",
    }
    return Acme(
        server=ACME_SERVERS.get(https.acme_server, https.acme_server),
        staging=staging.get(https.acme_staging, ACME_SERVERS.get(https.acme_staging, https.acme_staging)),
        email=site.options.email,
        ca=site.path(https.acme_ca),
        profile=https.acme_profile or ("shortlived" if has_address else ""),
        may_differ=not https.acme_profile,
        eab_kid=https.eab_kid,
        eab_hmac_file=site.path(https.eab_hmac_file),
        dns=https.dns,
        dns_credentials=site.path(https.dns_credentials),
        resolvers=tuple(https.resolver) or place.resolvers,
        challenges=Paths.of(place).challenges,
        port=https.challenge_port,
    )
