"""TLS as nginx speaks it: Mozilla's recommendation, the certificate, HTTP/2 and 3, HSTS, certificates of clients."""

from __future__ import annotations

from portico.place.model import NginxBuild, Place
from portico.plan.gateway.nginx.conf import Directive, block, directive, entries, literal
from portico.plan.gateway.nginx.host_header import https_port
from portico.plan.gateway.nginx.own import let_in
from portico.plan.gateway.nginx.trust import scheme
from portico.plan.model import Tls
from portico.plan.paths import Paths
from portico.plan.security.advisories import AS_OF
from portico.plan.security.holes import http2_hole
from portico.plan.web.model import Web

CHALLENGE = "/.well-known/acme-challenge/"
_MOZILLA = "https://wiki.mozilla.org/Security/Server_Side_TLS"
_HSTS = "https://www.rfc-editor.org/rfc/rfc6797"
_RFC_CHALLENGE = "https://www.rfc-editor.org/rfc/rfc8555#section-8.3"
_HTTP2_DIRECTIVE_SINCE = (1, 25, 1)
_PROTOCOLS = {"intermediate": ("TLSv1.2", "TLSv1.3"), "modern": ("TLSv1.3",)}
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""For TLS 1.2; those of 1.3 are all good and OpenSSL's own."""
_CURVES = "X25519:prime256v1:secp384r1"
_HYBRID, _HYBRID_SINCE = "X25519MLKEM768", (3, 5)
"""A key exchange that a quantum computer does not open either: https://openssl-library.org/post/2025-04-08-openssl-35-final-release/"""
SESSIONS = "portico_tls"
"""One for all sites of a gateway: the server that begins a handshake keeps them, before the name is known."""
_SESSIONS = f"shared:{SESSIONS}:10m"
"""About 40 000 sessions, https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_session_cache"""


def can_speak(build: NginxBuild) -> bool:
    """Whether this nginx knows TLS at all."""
    return "http_ssl_module" in build.modules


def certified(web: Web) -> list[Directive]:
    """What a server with the site's certificate begins with, after its `listen` lines."""
    cause = web.site.cause("https.mode")
    return [
        *protocols(web),
        directive(
            "ssl_certificate", Tls.CERTIFICATE, cause=cause,
            why="certificate, chain and key in one file beside this one, so that a renewed one takes their place in "
            "one step (rename), whole or not at all",
        ),
        directive("ssl_certificate_key", Tls.CERTIFICATE, why="the key in the same file: 0600", cause=cause),
        *_clients(web),
    ]  # fmt: skip


def protocols(web: Web) -> list[Directive]:
    """How TLS is spoken; the default server of an address needs it too, since it begins every handshake."""
    return [
        *spoken(web.place, web.site.options.https.profile, web.site.cause("https.profile")),
        *_http2(web.place, web.site.options.https.http2, web.site.cause("https.http2")),
    ]


def shared(place: Place, cause: str) -> list[Directive]:
    """The same where several sites share an address and none is known yet."""
    return [*spoken(place, "intermediate", cause), *_http2(place, "auto", cause)]


def spoken(place: Place, profile: str, cause: str) -> list[Directive]:
    """The protocols and ciphers of that profile of Mozilla's."""
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
            why="all of them are good, and a phone without AES in hardware knows that ChaCha20 is faster for it",
        ),
        directive(
            "ssl_ecdh_curve", curves(place.nginx), cause=cause, source=_MOZILLA,
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


def curves(build: NginxBuild) -> str:
    """The key exchanges offered, the best first."""
    return f"{_HYBRID}:{_CURVES}" if build.openssl >= _HYBRID_SINCE else _CURVES


def can_http2(build: NginxBuild) -> bool:
    return "http_v2_module" in build.modules


def has_http2(place: Place, wanted: str) -> bool:
    """Whether HTTP/2 is spoken, with `wanted` as [https] http2 says."""
    if not can_http2(place.nginx) or wanted == "off":
        return False
    return wanted == "on" or http2_hole(place.nginx) is None


def no_http2(place: Place, wanted: str) -> str:
    """Why HTTP/2 is not spoken although this nginx could; empty when it is spoken or cannot be."""
    if not can_http2(place.nginx) or has_http2(place, wanted):
        return ""
    hole = http2_hole(place.nginx)
    if wanted == "off" or hole is None:
        return "HTTP/1.1 alone, as you said"
    return (
        f"nginx {place.nginx.number} has {hole.id} ({hole.about}), as of {AS_OF}: HTTP/1.1 alone until a patched "
        'nginx is used; [https] http2 = "on" speaks HTTP/2 nevertheless'
    )


def _http2(place: Place, wanted: str, cause: str) -> list[Directive]:
    """Nothing for an older nginx, where the words of `listen` say it."""
    if not can_http2(place.nginx) or not place.nginx.since(*_HTTP2_DIRECTIVE_SINCE):
        return []
    if has_http2(place, wanted):
        return [directive("http2", "on", why="many requests at once over one connection", cause=cause)]
    hole = http2_hole(place.nginx) if wanted == "auto" else None
    return [
        directive(
            "http2", "off", why=no_http2(place, wanted), cause=cause, source=hole.source if hole else ""
        )
    ]


def listen_words(web: Web) -> list[str]:
    """What follows the address of a `listen` line that speaks TLS."""
    is_old = not web.place.nginx.since(*_HTTP2_DIRECTIVE_SINCE)
    return ["ssl", "http2"] if is_old and has_http2(web.place, web.site.options.https.http2) else ["ssl"]


def listen_why(web: Web) -> str:
    """What there is to say of those words; empty where a directive of its own says it."""
    return (
        ""
        if web.place.nginx.since(*_HTTP2_DIRECTIVE_SINCE)
        else no_http2(web.place, web.site.options.https.http2)
    )


def quic_listen(web: Web, *, is_default: bool) -> list[Directive]:
    """The addresses over UDP, where HTTP/3 is spoken."""
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
    if not web.site.has_https or web.site.options.https.hsts == "off":
        return []
    return [
        directive(
            "add_header", "Strict-Transport-Security", "$portico_hsts", "always",
            why="browsers come by HTTPS from now on, even to an http:// link; nginx leaves an empty header out",
            cause=web.site.cause("https.hsts"), source=_HSTS,
        )
    ]  # fmt: skip


def alternative(web: Web) -> list[Directive]:
    """At server level: a location with headers of its own does without, since browsers need to hear it once."""
    if not web.listeners.quic:
        return []
    return [
        directive(
            "add_header", "Alt-Svc", f'h3=":{web.listeners.quic[0].port}"; ma=86400', "always",
            why="tells browsers that HTTP/3 is spoken here, too",
        )
    ]  # fmt: skip


def hsts(web: Web) -> list[Directive]:
    """Where the header's value comes from, at `http` level."""
    if not web.site.has_https or web.site.options.https.hsts == "off":
        return []
    return [
        directive(
            "include", Tls.HSTS, cause=web.site.cause("https.hsts"),
            why="how long browsers are to insist on HTTPS, in a file of its own: it is written anew when the site has "
            "proven itself",
        )
    ]  # fmt: skip


def https_variable(web: Web) -> list[Directive]:
    """What CGI has called it since 1995, for whoever does not know REQUEST_SCHEME (uWSGI, PHP); nginx's own `$https`
    is the connection's."""
    if not web.site.proxies:
        return []
    return [
        entries(
            "map", scheme(web), "$portico_https", table=[("default", ""), ("https", "on")],
            why="`on` when the client came by https, as declared above",
        )
    ]  # fmt: skip


def challenge(web: Web) -> list[Directive]:
    """The authority's question, answered before anything else looks at it."""
    if web.site.https_mode == "files":
        return _others_challenge(web)
    if web.site.https_mode != "auto" or web.site.options.https.dns:
        return []
    return [
        block(
            "location", "^~", CHALLENGE, cause=web.site.cause("https.mode"), source=_RFC_CHALLENGE,
            why="the certificate authority asks here whether the name is ours; no route of the app and no redirect "
            "comes between",
            of=[
                *let_in(web, anybody=True),
                directive("root", Paths.of(web.place).challenges, why="certbot puts the answers there"),
                directive("default_type", "text/plain", why="a token, not a page"),
                directive("try_files", "$uri", "=404", why="only what certbot put there"),
            ],
        )
    ]  # fmt: skip


def _others_challenge(web: Web) -> list[Directive]:
    """The same for a certbot of the user's; a challenge that it put elsewhere is the app's, as any other path."""
    if web.site.proxies:
        return []  # what a proxy sends on has no other way than to the app
    cause = web.site.cause("https.mode")
    return [
        block(
            "location", "^~", CHALLENGE, cause=cause, source=_RFC_CHALLENGE,
            why="an ACME client beside Portico may put its answers there (certbot --webroot), whatever the "
            "certificate is like",
            of=[
                *let_in(web, anybody=True),
                directive("root", Paths.of(web.place).challenges, why="its --webroot-path"),
                directive("default_type", "text/plain", why="a token, not a page"),
                directive("try_files", "$uri", "@portico_to_https", why="what is not there is asked of the app"),
            ],
        ),
        block("location", "@portico_to_https", why="as every other path", cause=cause, of=[to_https(web)]),
    ]  # fmt: skip


def to_https(web: Web) -> Directive:
    """The one place where plain HTTP is sent on."""
    return directive(
        "return", 308, f"https://$host{https_port(web)}$request_uri", cause=web.site.cause("https.mode"),
        why="to the same address by HTTPS; 308 keeps a POST a POST",
    )  # fmt: skip


def insecure(web: Web) -> Directive:
    """The same at server level, for a server that also answers a proxy which speaks HTTPS itself."""
    return block(
        "if", "($portico_insecure)", why="the client did not come by HTTPS, says whoever is trusted to",
        cause=web.site.cause("https.mode"), of=[to_https(web)],
    )  # fmt: skip


def variables(web: Web) -> list[Directive]:
    """What the servers above look at, at `http` level."""
    if not web.site.has_https or not web.site.proxies:
        return []
    rows = [
        ("default", "0"),
        (f"~^http:{CHALLENGE.replace('.', chr(92) + '.')}", "0"),
        (r"~^http:/-/health(\?|$)", "0"),
        ("~^http:", "1"),
    ]
    return [
        entries(
            "map", f"{scheme(web)}:$request_uri", "$portico_insecure", table=rows, cause=web.site.cause("https.mode"),
            why="1 for what is to be asked by HTTPS: all but the authority's challenge and the health path",
        )
    ]  # fmt: skip


def _clients(web: Web) -> list[Directive]:
    path = web.site.options.https.client_ca
    if not path:
        return []
    cause = web.site.cause("https.client_ca")
    is_strict = web.site.options.https.client_verify == "required"
    return [
        directive(
            "ssl_client_certificate", literal(web.site.path(path), cause), cause=cause,
            why="who may sign the certificates of clients",
        ),
        directive(
            "ssl_verify_client", "on" if is_strict else "optional", cause=web.site.cause("https.client_verify"),
            why="nobody gets in without a certificate" if is_strict else "the app decides: it reads SSL_CLIENT_VERIFY",
        ),
        directive("ssl_verify_depth", 2, why="also through an intermediate authority", cause=cause),
    ]  # fmt: skip
