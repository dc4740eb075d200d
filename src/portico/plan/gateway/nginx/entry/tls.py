"""TLS in nginx: Mozilla's recommendation, the certificate, HTTP/2 and 3, HSTS, client certificates."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Build
from portico.plan.files import File
from portico.plan.gateway.nginx.abilities import SINCE, abilities, lacking
from portico.plan.gateway.nginx.entry.host_header import https_port
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.names import file_of, location, spaced, variable
from portico.plan.gateway.nginx.own import let_in
from portico.plan.gateway.nginx.security.advisories import AS_OF
from portico.plan.gateway.nginx.security.holes import http2_hole
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries, literal, render
from portico.plan.paths import Paths
from portico.plan.subjects import Tls as Files
from portico.plan.web.ability import Ability
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.entry.tls import CHALLENGE, DEFAULT_PROFILE, Challenge, Clients, Http2, Tls, http2
from portico.plan.web.model import Web

_MOZILLA = "https://wiki.mozilla.org/Security/Server_Side_TLS"
_HSTS = "https://www.rfc-editor.org/rfc/rfc6797"
_RFC_CHALLENGE = "https://www.rfc-editor.org/rfc/rfc8555#section-8.3"
_PROTOCOLS = {"intermediate": ("TLSv1.2", "TLSv1.3"), "modern": ("TLSv1.3",)}
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""For TLS 1.2; all ciphers of 1.3 are good, and OpenSSL chooses them."""
_CURVES = "X25519:prime256v1:secp384r1"
_HYBRID, _HYBRID_SINCE = "?X25519MLKEM768", (3, 5)
"""A key exchange that resists quantum computers:
https://openssl-library.org/post/2025-04-08-openssl-35-final-release/
With `?`, an OpenSSL of 3.3 or newer that does not know it leaves it out: nginx may be started with another OpenSSL than
the one it was planned for.
"""
SESSIONS = "portico_tls"
"""One for all sites of a gateway: the server that begins a handshake has the cache, before the name is known."""
_SESSIONS = f"shared:{SESSIONS}:10m"
"""About 40 000 sessions, https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_session_cache"""


def certified(web: Web, tls: Tls) -> list[Directive]:
    """The first directives of a server with the site's certificate, after its `listen` lines."""
    return [
        *protocols(tls, web.place.gateway),
        directive(
            "ssl_certificate", file_of(web, Files.CERTIFICATE), cause=tls.cause,
            why="certificate, chain and key in one file beside this one, so that a renewed one takes their place in "
            "one step (rename), whole or not at all",
        ),
        directive(
            "ssl_certificate_key", file_of(web, Files.CERTIFICATE), cause=tls.cause,
            why="the key in the same file: 0600",
        ),
        *(_clients(tls.clients) if tls.clients else []),
    ]  # fmt: skip


def protocols(tls: Tls, build: Build) -> list[Directive]:
    """The TLS settings; the default server of an address needs them, too, because it begins every handshake."""
    return [
        *_spoken(tls.profile, build, tls.profile_cause),
        *_http2(tls.http2, build, tls.http2_cause),
    ]


def shared(build: Build, cause: str) -> list[Directive]:
    """The same where several sites share an address and none is known yet."""
    return [*_spoken(DEFAULT_PROFILE, build, cause), *_http2(http2("auto", abilities(build)), build, cause)]


def _spoken(profile: str, build: Build, cause: str) -> list[Directive]:
    """The protocols and ciphers of Mozilla's profile."""
    made = [
        directive(
            "ssl_protocols", *_PROTOCOLS[profile],
            why=f"Mozilla's {profile} profile: what is older is broken",
            cause=cause, source=_MOZILLA,
        )
    ]  # fmt: skip
    if profile == "intermediate":
        made.append(
            directive(
                "ssl_ciphers", _CIPHERS,
                why="for TLS 1.2: a key of its own for each connection (ECDHE), authenticated encryption only",
                cause=cause, source=_MOZILLA,
            )
        )  # fmt: skip
    made += [
        directive(
            "ssl_prefer_server_ciphers", "off", cause=cause, source=_MOZILLA,
            why="all ciphers are good, and a phone without AES in hardware prefers ChaCha20, which is faster there",
        ),
        directive(
            "ssl_ecdh_curve", _curves(build), cause=cause, source=_MOZILLA,
            why="Mozilla's key exchanges, as far as this build's OpenSSL knows them",
        ),
        directive(
            "ssl_session_cache", _SESSIONS,
            why="a client that comes back skips the expensive half of the handshake, whichever worker it meets",
        ),
        directive("ssl_session_timeout", "1d", why="for a day", source=_MOZILLA),
        directive(
            "ssl_session_tickets", "off", source=_MOZILLA,
            why="a ticket's key would open every recorded session until nginx is restarted",
        ),
    ]  # fmt: skip
    return made


def _curves(build: Build) -> str:
    """The key exchanges on offer, the best first."""
    return f"{_HYBRID}:{_CURVES}" if build.openssl >= _HYBRID_SINCE else _CURVES


def _http2(spoken: Http2, build: Build, cause: str) -> list[Directive]:
    """None for an older nginx, where `listen` has it."""
    if spoken is Http2.UNKNOWN or not build.since(*SINCE[Ability.HTTP2_BY_SITE]):
        return []
    if spoken is Http2.ON:
        return [directive("http2", "on", why="many requests at once over one connection", cause=cause)]
    hole = http2_hole(build) if spoken is Http2.UNSAFE else None
    return [
        directive(
            "http2", "off", why=_no_http2(spoken, build), cause=cause, source=hole.source if hole else ""
        )
    ]


def _no_http2(spoken: Http2, build: Build) -> str:
    """Why this nginx does not use HTTP/2 although it could; empty if it does."""
    if spoken is Http2.OFF:
        return "HTTP/1.1 alone, as you said"
    if spoken is not Http2.UNSAFE or (hole := http2_hole(build)) is None:
        return ""
    return (
        f"nginx {build.number} has {hole.id} ({hole.about}), as of {AS_OF}: HTTP/1.1 alone until a patched "
        'nginx is used; [https] http2 = "on" speaks HTTP/2 nevertheless'
    )


def notes(web: Web) -> list[str]:
    """Notes for the user."""
    if not web.tls or web.tls.http2 is not Http2.UNSAFE:
        return []
    return [f"HTTP/2 is off: {_no_http2(web.tls.http2, web.place.gateway)}"]


def impossible(web: Web) -> list[Problem]:
    """What one nginx cannot do for several sites, and what this build lacks."""
    if not web.tls:
        return []
    if web.hosts.is_beside_others and web.tls.profile != DEFAULT_PROFILE:
        hint = "leave the profile out, or run this site by itself"
        what = "nginx agrees on a protocol before it knows which of several sites is meant"
        return [Problem(web.tls.profile_cause, what, hint)]
    if web.hosts.is_beside_others and web.tls.clients and web.hosts.has_addresses:
        hint = "remove one of the two, or run this site by itself"
        what = "all sites share the server for an IP address, and it asks for no certificate"
        return [Problem(web.tls.clients.authority_cause, what, hint)]
    return lacking(web.tls.needs, web.place.gateway)


def listen_why(tls: Tls, build: Build) -> str:
    """The reason of those words; empty if a directive of its own has it."""
    return "" if build.since(*SINCE[Ability.HTTP2_BY_SITE]) else _no_http2(tls.http2, build)


def quic_listen(web: Web, *, is_default: bool) -> list[Directive]:
    """The UDP addresses of HTTP/3."""
    if not web.listeners.quic:
        return []
    words = ["default_server", "reuseport"] if is_default else []
    return [
        *(
            directive(
                "listen", str(address), "quic", *words, cause=web.listeners.tls_cause,
                why="HTTP/3: a lost packet holds up one answer, not all of them",
            )
            for address in web.listeners.quic
        ),
        directive("http3", "on", why="HTTP/3 over those addresses"),
    ]  # fmt: skip


def secured_headers(web: Web) -> list[Directive]:
    """Headers of every answer over HTTPS."""
    if not web.tls or not web.tls.tells_hsts:
        return []
    return [
        directive(
            "add_header", "Strict-Transport-Security", variable(web, "hsts"), "always",
            why="browsers come by HTTPS from now on, even to an http:// link; nginx leaves an empty header out",
            cause=web.tls.hsts_cause, source=_HSTS,
        )
    ]  # fmt: skip


def alternative(web: Web) -> list[Directive]:
    """At server level: locations with headers of their own omit it, because browsers need it only once."""
    if not web.listeners.quic:
        return []
    return [
        directive(
            "add_header", "Alt-Svc", f'h3=":{web.listeners.quic[0].port}"; ma=86400', "always",
            why="tells browsers that HTTP/3 is available",
        )
    ]  # fmt: skip


def hsts(web: Web) -> list[Directive]:
    """At `http` level: the source of the header's value."""
    if not web.tls or not web.tls.tells_hsts:
        return []
    return [
        directive(
            "include", file_of(web, Files.HSTS), cause=web.tls.hsts_cause,
            why="how long browsers are to insist on HTTPS, in a file of its own: it is written anew when the site has "
            "proven itself",
        )
    ]  # fmt: skip


def hsts_file(tls: Files, seconds: int = 0) -> File:
    """The included file; 0 seconds: no header."""
    words = "; includeSubDomains; preload" if tls.hsts == "preload" else ""
    value = f"max-age={seconds}{words}" if seconds else ""
    scheme = f"${spaced(tls.space, 'scheme')}" if tls.is_behind else "$scheme"
    made = entries(
        "map", f"{scheme} $host", f"${spaced(tls.space, 'hsts')}",
        table=[
            ("default", ""),
            ("~^https [0-9.]+$", ""),
            (r"~^https \[", ""),
            ("~^https ", value),
        ],
        why="browsers accept it only over HTTPS; the time grows as the site proves itself",
        cause=f"https.hsts: {tls.hsts}",
    )  # fmt: skip
    return File(Files.HSTS, tuple(render([made])))


def https_variable(web: Web) -> list[Directive]:
    """CGI's name since 1995, for apps that do not know REQUEST_SCHEME (uWSGI, PHP); nginx's own `$https` is the
    connection's.
    """
    if not web.trust.proxies:
        return []
    return [
        entries(
            "map", scheme(web), variable(web, "https"), table=[("default", ""), ("https", "on")],
            why="`on` when the client came by https, as declared above",
        )
    ]  # fmt: skip


def challenge(web: Web, tls: Tls) -> list[Directive]:
    """Answers the authority's challenge, before anything else handles the request."""
    if tls.challenge is None:
        return []
    if tls.challenge is Challenge.OURS:
        why = (
            "the certificate authority asks here whether the name is ours; no route of the app and no redirect "
            "comes between"
        )
        missing = directive("try_files", "$uri", "=404", why="only what certbot put there")
        return [_challenge(web, tls, why, "certbot puts the answers there", missing)]
    why = (
        "an ACME client beside Portico may put its answers there (certbot --webroot), whatever the "
        "certificate is like"
    )
    missing = directive(
        "try_files", "$uri", location(web, "to_https"), why="nginx asks the app for a file that is missing"
    )
    return [
        _challenge(web, tls, why, "its --webroot-path", missing),
        block(
            "location", location(web, "to_https"), of=[to_https(web, tls)],
            why="as every other path", cause=tls.cause,
        ),
    ]  # fmt: skip


def _challenge(web: Web, tls: Tls, why: str, root_why: str, missing: Directive) -> Directive:
    return block(
        "location", "^~", CHALLENGE, why=why, cause=tls.cause, source=_RFC_CHALLENGE,
        of=[
            *let_in(web, anybody=True),
            directive("root", Paths.of(web.place).challenges, why=root_why),
            directive("default_type", "text/plain", why="a token, not a page"),
            missing,
        ],
    )  # fmt: skip


def to_https(web: Web, tls: Tls) -> Directive:
    """The redirect from plain HTTP to HTTPS."""
    return directive(
        "return", 308, f"https://$host{https_port(web)}$request_uri", cause=tls.cause,
        why="to the same address by HTTPS; 308 keeps a POST a POST",
    )  # fmt: skip


def insecure(web: Web, tls: Tls) -> Directive:
    """The same at server level, if plain HTTP shows the site, too."""
    return block(
        "if", f"({variable(web, 'insecure')})", why="the client did not come by HTTPS, as a trusted proxy says",
        cause=tls.cause, of=[to_https(web, tls)],
    )  # fmt: skip


def variables(web: Web) -> list[Directive]:
    """At `http` level: the variables of the servers above."""
    if not web.tls or not web.tls.plain_shows_site:
        return []
    rows = [
        ("default", "0"),
        (f"~^http:{CHALLENGE.replace('.', chr(92) + '.')}", "0"),
        (rf"~^http:{HEALTH}(\?|$)", "0"),
        ("~^http:", "1"),
    ]
    return [
        entries(
            "map", f"{scheme(web)}:$request_uri", variable(web, "insecure"), table=rows, cause=web.tls.cause,
            why="1 for what is to be asked by HTTPS: all but the authority's challenge and the health path",
        )
    ]  # fmt: skip


def _clients(clients: Clients) -> list[Directive]:
    why = "the app decides: it reads SSL_CLIENT_VERIFY"
    if clients.is_required:
        why = "a client without a certificate is refused"
    return [
        directive(
            "ssl_client_certificate", literal(clients.authority, clients.authority_cause),
            why="the authorities that may sign client certificates", cause=clients.authority_cause,
        ),
        directive(
            "ssl_verify_client", "on" if clients.is_required else "optional", why=why, cause=clients.cause
        ),
        directive("ssl_verify_depth", 2, why="also through an intermediate authority", cause=clients.authority_cause),
    ]  # fmt: skip
