"""HTTPS as values: which names, where, whose certificate. nginx's own lines are in `nginx.tls`."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.model import Acme, Directory, Tls
from portico.plan.nginx.part import namespace
from portico.plan.nginx.server import https_addresses
from portico.plan.nginx.tls import can_http2, can_speak
from portico.plan.nginx.trust import scheme
from portico.plan.paths import Paths
from portico.site.model import Site
from portico.site.rules_https import ACME_SERVERS

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def tls(site: Site, place: Place) -> Tls | None:
    """What is planned for HTTPS, None for plain HTTP."""
    if not site.has_https:
        return None
    https, paths = site.options.https, Paths.of(place)
    return Tls(
        mode=site.https_mode,
        names=_names(site),
        listen=https_addresses(site, place),
        directory=paths.certificates,
        profile=https.profile,
        hsts=https.hsts,
        cert=site.path(https.cert),
        key=site.path(https.key),
        acme=_acme(site, place) if site.https_mode == "auto" else None,
        client_ca=site.path(https.client_ca),
        ca_file=place.ca_file,
        scheme=scheme(site),
        space=namespace(site.name) if place.gateway else "",
        local_ca=f"{place.state.rpartition('/')[0]}/local-ca",
        app_user=place.app_user,
        reader=site.reader,
    )


def tls_directories(site: Site, place: Place) -> tuple[Directory, ...]:
    """Where keys and the answers to challenges live."""
    if not site.has_https:
        return ()
    paths = Paths.of(place)
    made = (Directory(paths.certificates, 0o700, is_secret=True),)
    if site.https_mode != "auto":
        return made
    is_shared = 0o750 if place.nginx_group else 0o700
    return (*made, Directory(paths.challenges, is_shared, group=place.nginx_group))


def impossible_tls(site: Site, place: Place) -> list[Problem]:
    """What this nginx cannot do."""
    if site.has_https and place.gateway and site.options.https.profile != "intermediate":
        hint = "leave the profile out, or run this site by itself"
        what = "nginx agrees on a protocol before it knows which of several sites is meant"
        return [Problem(site.cause("https.profile"), what, hint)]
    return incapable_tls(site, place)


def incapable_tls(site: Site, place: Place) -> list[Problem]:
    """What this build was made without."""
    if not site.has_https:
        return []
    hint = "leave --nginx out: Portico then takes one that can, at least its own (embedded)"
    if not can_speak(place.nginx):
        return [Problem(place.nginx.path, "was built without TLS (http_ssl_module)", hint)]
    if site.options.https.http2 == "on" and not can_http2(place.nginx):
        return [Problem(place.nginx.path, "was built without HTTP/2 (http_v2_module)", hint)]
    return []


def _names(site: Site) -> tuple[str, ...]:
    if site.https_mode == "local":
        return (*site.options.domains, *LOCAL_NAMES)
    return tuple(site.options.domains)


def _acme(site: Site, place: Place) -> Acme:
    https = site.options.https
    staging = {
        "off": "",
        "": ACME_SERVERS["letsencrypt-staging"] if https.acme_server == "letsencrypt" else "",
    }
    return Acme(
        server=ACME_SERVERS.get(https.acme_server, https.acme_server),
        staging=staging.get(https.acme_staging, ACME_SERVERS.get(https.acme_staging, https.acme_staging)),
        email=site.options.email,
        ca=site.path(https.acme_ca),
        eab_kid=https.eab_kid,
        eab_hmac_file=site.path(https.eab_hmac_file),
        dns=https.dns,
        dns_credentials=site.path(https.dns_credentials),
        resolvers=tuple(https.resolver) or place.resolvers,
        challenges=Paths.of(place).challenges,
        port=https.challenge_port,
    )
