"""HTTPS: protocols, HSTS, and what plain HTTP beside it answers."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from portico.plan.web.ability import Ability
from portico.site.model import Site

CHALLENGE = "/.well-known/acme-challenge/"
"""The path at which an authority validates a name, https://www.rfc-editor.org/rfc/rfc8555#section-8.3"""
DEFAULT_PROFILE = "intermediate"


class Http2(Enum):
    """Whether HTTP/2 is on, or why not."""

    ON = "spoken"
    OFF = "nobody wants it"
    UNSAFE = "it would expose a severe published fault of the gateway, and no option requires it"
    UNKNOWN = "the gateway was built without it"


class Challenge(Enum):
    """Files that answer an authority's challenge over HTTP, in the site's directory of challenges."""

    OURS = "Portico's own ACME client, and nobody else"
    THEIRS = "an ACME client of the user's; what it did not put there is asked of the app"


class Clients(Struct, frozen=True):
    """Client certificates."""

    authority: str
    """The file of the authorities that may sign them."""
    is_required: bool
    """Clients without one are refused; otherwise the app decides."""
    authority_cause: str
    cause: str


class Tls(Struct, frozen=True):
    """HTTPS. Plain HTTP beside it answers challenges and the health path, and redirects to HTTPS."""

    mode: str
    """The origin of the certificate: auto, local or files."""
    profile: str
    """Protocols and ciphers: Mozilla's intermediate or modern, https://wiki.mozilla.org/Security/Server_Side_TLS"""
    http2: Http2
    tells_hsts: bool
    """Whether HSTS is sent."""
    clients: Clients | None
    needs: tuple[Ability, ...]
    """Abilities that the gateway needs, the most important first."""
    challenge: Challenge | None
    """None: challenges are answered elsewhere, or by the app."""
    plain_shows_site: bool
    """Plain HTTP shows the site, too, if a declared proxy says that it terminated TLS."""
    cause: str
    profile_cause: str
    http2_cause: str
    hsts_cause: str


def tls(site: Site, abilities: frozenset[Ability]) -> Tls | None:
    """The TLS settings, None for plain HTTP alone."""
    if not site.has_https:
        return None
    https = site.options.https
    return Tls(
        mode=site.https_mode,
        profile=https.profile,
        http2=http2(https.http2, abilities),
        tells_hsts=tells_hsts(site),
        clients=_clients(site) if https.client_ca else None,
        needs=needed(site),
        challenge=_challenge(site),
        plain_shows_site=bool(site.proxies),
        cause=site.cause("https.mode"),
        profile_cause=site.cause("https.profile"),
        http2_cause=site.cause("https.http2"),
        hsts_cause=site.cause("https.hsts"),
    )


def http2(wanted: str, abilities: frozenset[Ability]) -> Http2:
    """Whether HTTP/2 is on, with `wanted` as in [https] http2: on, off or auto."""
    if Ability.HTTP2 not in abilities:
        return Http2.UNKNOWN
    if wanted == "auto":
        return Http2.ON if Ability.SAFE_HTTP2 in abilities else Http2.UNSAFE
    return Http2.ON if wanted == "on" else Http2.OFF


def tells_hsts(site: Site) -> bool:
    """Whether HSTS (RFC 6797) is sent."""
    return site.has_https and site.options.https.hsts != "off"


def needed(site: Site) -> tuple[Ability, ...]:
    """Abilities that the gateway needs, the most important first."""
    if not site.has_https:
        return ()
    return (Ability.TLS, Ability.HTTP2) if site.options.https.http2 == "on" else (Ability.TLS,)


def _challenge(site: Site) -> Challenge | None:
    if site.https_mode == "auto":
        return None if site.options.https.dns else Challenge.OURS
    # A proxy's request can only go to the app.
    return Challenge.THEIRS if site.https_mode == "files" and not site.proxies else None


def _clients(site: Site) -> Clients:
    https = site.options.https
    return Clients(
        authority=site.path(https.client_ca),
        is_required=https.client_verify == "required",
        authority_cause=site.cause("https.client_ca"),
        cause=site.cause("https.client_verify"),
    )
