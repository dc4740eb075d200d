"""The server blocks: which Host gets which answer."""

from __future__ import annotations

from collections.abc import Iterable

from portico.plan.bindings import Spoken, spoken
from portico.plan.gateway.nginx.access import refusal
from portico.plan.gateway.nginx.allow_list import leaving
from portico.plan.gateway.nginx.app.cache import cache_rules, status_headers
from portico.plan.gateway.nginx.app.challenge import pressure, without_pass
from portico.plan.gateway.nginx.app.detours import tunnel
from portico.plan.gateway.nginx.app.link import told_last, told_to_app
from portico.plan.gateway.nginx.app.resets import without_resets
from portico.plan.gateway.nginx.app.routes import told_by_routes, way
from portico.plan.gateway.nginx.bans import dry_run
from portico.plan.gateway.nginx.crawlers import crawlers_dry_run
from portico.plan.gateway.nginx.entry import tls
from portico.plan.gateway.nginx.entry.health import health_locations
from portico.plan.gateway.nginx.entry.host_header import refuse_odd_hosts, same_port
from portico.plan.gateway.nginx.entry.maintenance import shut
from portico.plan.gateway.nginx.entry.trust import refuse_strangers, scheme
from portico.plan.gateway.nginx.files.spa import spa_error
from portico.plan.gateway.nginx.headers import nameless, of_app, of_redirects, preflight
from portico.plan.gateway.nginx.limits.counted import bandwidth
from portico.plan.gateway.nginx.limits.held import capacity
from portico.plan.gateway.nginx.locations import locations
from portico.plan.gateway.nginx.own import in_server, limit_status, settled
from portico.plan.gateway.nginx.pages import closing, failures, not_elsewhere
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.gateway.nginx.waf import refused_by_waf
from portico.plan.web.entry.tls import Tls
from portico.plan.web.model import Web
from portico.plan.web.routing.build import every_guard
from portico.values import Address

_WORDS = {Spoken.TLS: "ssl", Spoken.HTTP2: "http2", Spoken.PROXY_PROTOCOL: "proxy_protocol"}
_NAMED = "the hosts this site answers to"
_UNNAMED = "any host is answered; this is the name when a client gives none"


def servers(web: Web) -> list[Directive]:
    """The site's server; with declared domains the ones that refuse every other Host come first, with HTTPS the one
    that redirects plain HTTP.

    On a shared gateway, the gateway refuses for all sites.
    """
    is_default, refuses = not web.hosts.declared, web.hosts.refuses_others
    made = [_catch_all(web)] if refuses else []
    if web.tls:
        made.append(_plain(web, web.tls, is_default=is_default))
        made += [_no_names(web, web.tls)] if refuses else []
    return [*made, *_others(web), _site(web, is_default=is_default)]


def said_of(words: Iterable[Spoken]) -> list[str]:
    """The protocols of an address, as parameters of `listen`."""
    return [_WORDS[word] for word in words]


def _site(web: Web, *, is_default: bool) -> Directive:
    return block(
        "server", why="the site", cause=web.hosts.cause,
        of=_settled(web, [
            *_entrance(web, is_default=is_default),
            directive(
                "server_name", *(web.hosts.shown or ["localhost"]),
                why=_NAMED if web.hosts.declared else _UNNAMED,
                cause=web.hosts.cause,
            ),
            *_content(web),
        ]),
    )  # fmt: skip


def _settled(web: Web, of: list[Directive]) -> list[Directive]:
    return settled(of) if web.own.all else of


def _content(web: Web) -> list[Directive]:
    """The content of the site, for every kind of connection."""
    return [
        *refuse_strangers(web),
        *refuse_odd_hosts(web),
        *capacity(web),
        *shut(web),
        *dry_run(web),
        *crawlers_dry_run(web),
        *pressure(web),
        *bandwidth(web),
        *limit_status(web),
        *nameless(web),
        *of_app(web),
        *status_headers(web),
        *tls.alternative(web),
        *preflight(web),
        *failures(web),
        *refusal(web, every_guard(web.routing, web.chains)),
        *refused_by_waf(web),
        *_detours(web),
        *leaving(web),
        *without_pass(web),
        *spa_error(web),
        *told_to_app(web),
        *without_resets(web, [*cache_rules(web), *told_by_routes(web), *not_elsewhere(web)]),
        *locations(web),
        *in_server(web),
        *told_last(web),
    ]


def _detours(web: Web) -> list[Directive]:
    """Where WebSockets go on, if anything is passed on, and a closed site's requests."""
    is_passed = bool(web.routing.passed) or not web.upstream.is_nobody
    return [*([tunnel(web)] if is_passed else []), closing(web, way(web))]


def _entrance(web: Web, *, is_default: bool) -> list[Directive]:
    """The server that shows the site: by HTTPS if it has it."""
    if not web.tls:
        return _listen(web, is_default=is_default)
    return [
        *_listen_tls(web, web.tls, is_default=is_default),
        *tls.certified(web, web.tls),
    ]


def _others(web: Web) -> list[Directive]:
    """The domains that redirect to the canonical one."""
    names, cause = web.hosts.redirected, web.hosts.canonical_cause
    if not names:
        return []
    port = same_port(web)
    to = "https" if web.tls else scheme(web)
    return [
        block(
            "server", why="names that redirect to the canonical one", cause=cause,
            of=[
                *_entrance(web, is_default=False),
                directive("server_name", *names, why="every declared name but that one", cause=cause),
                *refuse_strangers(web),
                *refuse_odd_hosts(web),
                *nameless(web),
                *of_redirects(web, is_secure=True),
                *([] if web.tls else health_locations(web)),
                block(
                    "location", "/", why="one address for one page", cause=cause,
                    of=[
                        directive(
                            "return", 308, f"{to}://{web.hosts.canonical}{port}$request_uri",
                            why="308 keeps a POST a POST", cause=cause,
                        )
                    ],
                ),
            ],
        )
    ]  # fmt: skip


def _plain(web: Web, spoken: Tls, *, is_default: bool) -> Directive:
    """Plain HTTP beside HTTPS: challenge and health are answered, everything else is redirected.

    Requests from a declared proxy that terminated TLS get the site, which avoids a redirect loop.
    """
    names = web.hosts.declared or ["localhost"]
    if spoken.plain_shows_site:
        content = [tls.insecure(web, spoken), *tls.challenge(web, spoken), *_content(web)]
    else:
        content = [
            *refuse_strangers(web),
            *refuse_odd_hosts(web),
            *nameless(web),
            *of_redirects(web, is_secure=False),
            *tls.challenge(web, spoken),
            *health_locations(web),
            block(
                "location", "/", why="everything else", cause=spoken.cause, of=[tls.to_https(web, spoken)]
            ),
        ]  # fmt: skip
    return block(
        "server", why="plain HTTP, which leads to HTTPS", cause=spoken.cause,
        of=_settled(web, [
            *_listen(web, is_default=is_default),
            directive("server_name", *names, why="the same names", cause=web.hosts.cause),
            *content,
        ]),
    )  # fmt: skip


def _no_names(web: Web, spoken: Tls) -> Directive:
    """Clients send no server name in the handshake when they connect to an IP address (RFC 6066, section 3)."""
    cause = web.hosts.cause
    if web.hosts.has_addresses:
        why = "clients that ask for an IP address give no name in the handshake: nginx shows them the certificate"
        shown = tls.certified(web, spoken)
    else:
        why = "an undeclared name, or none: nginx shows no certificate, so the site's names stay private"
        rejected = "ends the handshake with unrecognized_name (112)"
        shown = [
            *tls.protocols(spoken, web.place.gateway),
            directive("ssl_reject_handshake", "on", why=rejected, cause=cause),
        ]
    return block(
        "server", why=why, cause=cause,
        of=[
            *_listen_tls(web, spoken, is_default=True),
            *shown,
            directive("return", 444, why="a handshake for our name and a request for another: no answer", cause=cause),
        ],
    )  # fmt: skip


def _listen_tls(web: Web, spoken: Tls, *, is_default: bool) -> list[Directive]:
    at = web.listeners
    why = tls.listen_why(spoken, web.place.gateway)
    return [
        *_listen_at(web, at.tls, at.tls_cause, is_default=is_default, more_why=why),
        *tls.quic_listen(web, is_default=is_default),
    ]


def _catch_all(web: Web) -> Directive:
    cause = web.hosts.cause
    return block(
        "server", why="requests for a Host that was not declared: scanners, and links in mails that would "
        "point elsewhere", cause=cause,
        of=[
            *_listen(web, is_default=True),
            directive("server_name", "_", why="a name no client sends", cause=cause),
            *refuse_strangers(web),
            *health_locations(web),
            block(
                "location", "/", why="anything else for an unknown Host", cause=cause,
                of=[directive("return", 444, why="closes the connection without an answer", cause=cause)],
            ),
        ],
    )  # fmt: skip


def _listen(web: Web, *, is_default: bool) -> list[Directive]:
    return _listen_at(web, web.listeners.plain, web.listeners.plain_cause, is_default=is_default)


def _listen_at(
    web: Web, addresses: tuple[Address, ...], cause: str, *, is_default: bool, more_why: str = ""
) -> list[Directive]:
    why = "where clients connect; a burst of connections waits here instead of being refused"
    why += f"; {more_why}" if more_why else ""
    if web.listeners.has_proxy_protocol:
        why += "; every connection begins with the client's address (PROXY protocol)"
    at, made = spoken(web), list[Directive]()
    for address in addresses:
        of_socket = ["default_server", f"backlog={web.listeners.backlog}"] if is_default else []
        of_socket += ["ipv6only=on"] if is_default and address.is_v6 else []
        made.append(
            directive("listen", str(address), *said_of(at[str(address)]), *of_socket, why=why, cause=cause)
        )
    for path in web.listeners.routed:
        of_socket = ["default_server", f"backlog={web.listeners.backlog}"]
        why = "where a site of this gateway sends its requests: nobody else reaches the socket"
        made.append(directive("listen", f"unix:{path}", *of_socket, why=why, cause=web.trust.cause))
    return made
