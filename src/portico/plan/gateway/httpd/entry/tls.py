"""TLS in httpd: Mozilla's recommendation, the certificate, HTTP/2, HSTS, client certificates."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.files import File
from portico.plan.gateway.httpd.entry.host_header import https_port
from portico.plan.gateway.httpd.modules import has, lacking
from portico.plan.gateway.httpd.names import PATH, SCHEME, file_of
from portico.plan.gateway.httpd.syntax import Directive, directive, literal, render, value
from portico.plan.paths import Paths
from portico.plan.subjects import Tls as Files
from portico.plan.web.entry.tls import CHALLENGE, DEFAULT_PROFILE, Challenge, Clients, Http2, Tls
from portico.plan.web.model import Web

_MOZILLA = "https://wiki.mozilla.org/Security/Server_Side_TLS"
_HSTS = "https://www.rfc-editor.org/rfc/rfc6797"
_PROTOCOLS = {"intermediate": ("-all", "+TLSv1.2", "+TLSv1.3"), "modern": ("-all", "+TLSv1.3")}
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""For TLS 1.2; all ciphers of 1.3 are good, and OpenSSL chooses them."""
_CURVES = "X25519:prime256v1:secp384r1"


def shared(place: Place, profile: str, cause: str) -> list[Directive]:
    """For the whole configuration, where a site has HTTPS."""
    why = "a client that comes back skips the expensive half of the handshake, whichever process it meets"
    return [
        directive("SSLSessionCache", f"shmcb:{place.runtime}/ssl(2097152)", why=why),
        directive("SSLSessionCacheTimeout", 86400, why="for a day", source=_MOZILLA),
        *_spoken(profile, cause),
    ]


def has_http2(web: Web) -> bool:
    """Whether some virtual host speaks it."""
    return web.tls is not None and web.tls.http2 is Http2.ON


def certified(web: Web, tls: Tls) -> list[Directive]:
    """The first directives of a virtual host for HTTPS."""
    why = (
        "certificate, chain and key in one file beside this one, so that a renewed one takes their place in one step "
        "(rename), whole or not at all"
    )
    protocols = ("h2", "http/1.1") if tls.http2 is Http2.ON else ("http/1.1",)
    return [
        directive("SSLEngine", "on", why="HTTPS", cause=tls.cause),
        directive("SSLCertificateFile", file_of(web, Files.CERTIFICATE), why=why, cause=tls.cause),
        directive("Protocols", *protocols, why="many requests at once over one connection, where HTTP/2 is spoken",
                  cause=tls.http2_cause),
        *(_clients(tls.clients) if tls.clients else []),
    ]  # fmt: skip


def _spoken(profile: str, cause: str) -> list[Directive]:
    """The protocols and ciphers of Mozilla's profile."""
    made = [
        directive("SSLProtocol", *_PROTOCOLS[profile], why=f"Mozilla's {profile} profile: what is older is "
                  "broken", cause=cause, source=_MOZILLA),
    ]  # fmt: skip
    if profile == DEFAULT_PROFILE:
        why = "for TLS 1.2: a key of its own for each connection (ECDHE), authenticated encryption only"
        made.append(directive("SSLCipherSuite", _CIPHERS, why=why, cause=cause, source=_MOZILLA))
    why = "all ciphers are good, and a phone without AES in hardware prefers ChaCha20, which is faster there"
    return [
        *made,
        directive("SSLHonorCipherOrder", "off", why=why, cause=cause, source=_MOZILLA),
        directive("SSLOpenSSLConfCmd", "Curves", _CURVES, why="Mozilla's key exchanges", cause=cause, source=_MOZILLA),
        directive("SSLSessionTickets", "off", why="a ticket's key would open every recorded session until httpd is "
                  "restarted", source=_MOZILLA),
    ]  # fmt: skip


def _clients(clients: Clients) -> list[Directive]:
    why = "the app decides: it reads SSL_CLIENT_VERIFY"
    if clients.is_required:
        why = "a client without a certificate is refused"
    file, cause = literal(clients.authority, clients.authority_cause), clients.authority_cause
    return [
        directive(
            "SSLCACertificateFile", file, why="the authorities that may sign client certificates", cause=cause
        ),
        directive(
            "SSLVerifyClient", "require" if clients.is_required else "optional", why=why, cause=clients.cause
        ),
        directive("SSLVerifyDepth", 2, why="also through an intermediate authority", cause=cause),
        directive("SSLOptions", "+StdEnvVars", why="the app reads who the client is", cause=cause),
    ]


_ADDRESS = r"m#^(?:[0-9.]+|\[.*\])(?::[0-9]+)?$#"
"""A Host that is an address: browsers keep HSTS for names alone (RFC 6797 8.1.1)."""


def hsts(web: Web) -> list[Directive]:
    """In a virtual host for HTTPS: the header."""
    if not web.tls or not web.tls.tells_hsts:
        return []
    why = (
        "how long browsers are to insist on HTTPS, in a file of its own: it is written anew when the site has proven "
        "itself"
    )
    return [directive("Include", file_of(web, Files.HSTS), why=why, cause=web.tls.hsts_cause)]


def hsts_file(tls: Files, seconds: int = 0) -> File:
    """The included file; 0 seconds: no header."""
    if not seconds:
        return File(Files.HSTS, ())
    words = "; includeSubDomains; preload" if tls.hsts == "preload" else ""
    said = value(f"max-age={seconds}{words}")
    condition = f"expr=reqenv('{SCHEME}') == 'https' && req_novary('Host') !~ {_ADDRESS}"
    made = [
        directive("Header", "unset", "Strict-Transport-Security", why="said once", source=_HSTS),
        directive("Header", "always", "set", "Strict-Transport-Security", said, condition, source=_HSTS,
                  why="browsers come by HTTPS from now on, even to an http:// link"),
    ]  # fmt: skip
    return File(Files.HSTS, tuple(render(made)))


def challenge(web: Web) -> list[Directive]:
    """Rules that answer the authority's challenge, before anything else handles the request."""
    tls = web.tls
    if tls is None or tls.challenge is None:
        return []
    folder = Paths.of(web.place).challenges
    why = "the certificate authority asks here whether the name is ours; no redirect comes between"
    path = f"{folder}%{{REQUEST_URI}}"
    here = f"^{CHALLENGE}".replace(".", r"\.")
    made = [
        directive("RewriteCond", path, "-f", why="only what the ACME client put there", cause=tls.cause),
        directive(
            "RewriteRule",
            f"{here}[A-Za-z0-9_-]+$",
            f"{folder}$0",
            "[T=text/plain,L]",
            why=why,
            cause=tls.cause,
        ),
    ]
    if tls.challenge is Challenge.OURS:
        why = "nothing else is here, and no redirect comes between"
        made.append(directive("RewriteRule", here, "-", "[R=404,L]", why=why, cause=tls.cause))
    return made


def to_https(web: Web, tls: Tls, *, is_conditional: bool = False) -> list[Directive]:
    """The redirect from plain HTTP to HTTPS: of all requests, or of those that came by plain HTTP to a proxy."""
    settings, port = https_port(web)
    why = "to the same address by HTTPS; 308 keeps a POST a POST"
    target = f"https://%{{SERVER_NAME}}{port}%{{ENV:{PATH}}}"
    made = [*settings]
    if is_conditional:
        made.append(
            directive(
                "RewriteCond",
                f"%{{ENV:{SCHEME}}}",
                "=http",
                why="the client did not come by HTTPS",
                cause=tls.cause,
            )
        )
    return [*made, directive("RewriteRule", "^", target, "[R=308,NE,L]", why=why, cause=tls.cause)]


def impossible(web: Web) -> list[Problem]:
    """What one httpd cannot do for several sites, and what this build lacks for HTTPS."""
    if not web.tls:
        return []
    if web.hosts.is_beside_others and web.tls.profile != DEFAULT_PROFILE:
        what = "httpd agrees on a protocol before it knows which of several sites is meant"
        return [Problem(web.tls.profile_cause, what, "leave the profile out, or run this site by itself")]
    if web.hosts.is_beside_others and web.tls.clients:
        what = (
            "httpd reads this file at each reload of some site, and a wrong one would end it for all of them"
        )
        hint = 'run this site by itself, or use nginx (gateway = "nginx")'
        return [Problem(web.tls.clients.authority_cause, what, hint)]
    build = web.place.gateway
    found = lacking(build, ("ssl", "socache_shmcb"), "HTTPS", web.tls.cause)
    if web.site.options.https.http2 == "on":
        found += lacking(build, ("http2",), "HTTP/2", web.tls.http2_cause)
    return found


def notes(web: Web) -> list[str]:
    """Notes for the user."""
    if not web.tls:
        return []
    made = []
    if not has(web.place.gateway, "http2"):
        made.append("this httpd has no mod_http2: HTTP/1.1 alone")
    if web.hosts.refuses_others and not web.hosts.has_addresses:
        made.append(
            "a client that names no host of this site in the TLS handshake is shown its certificate: httpd "
            "cannot refuse the handshake"
        )
    return made
