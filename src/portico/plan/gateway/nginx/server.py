"""The server blocks: which Host is answered, and by whom."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.nginx import tls
from portico.plan.gateway.nginx.cache import cache_rules, status_headers
from portico.plan.gateway.nginx.conf import Directive, block, directive
from portico.plan.gateway.nginx.detours import tunnel
from portico.plan.gateway.nginx.host_header import refuse_odd_hosts, same_port
from portico.plan.gateway.nginx.limits import capacity
from portico.plan.gateway.nginx.link import told_last, told_to_app
from portico.plan.gateway.nginx.locations import (
    common_headers,
    health_locations,
    locations,
    own_and_common,
)
from portico.plan.gateway.nginx.own import in_server, limit_status, settled
from portico.plan.gateway.nginx.pages import closing, failures
from portico.plan.gateway.nginx.routes import told_by_routes, way
from portico.plan.gateway.nginx.spa import spa_error
from portico.plan.gateway.nginx.trust import listen_why, listen_words, refuse_strangers, scheme
from portico.site.model import Site
from portico.site.rules_https import has_addresses, host_of
from portico.values import Address

WANTED_BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel's own default for net.core.somaxconn since 5.4."""


_NAMED = "the hosts this site answers to"
_UNNAMED = "any host is answered; this is the name when a client gives none"


def servers(site: Site, place: Place) -> list[Directive]:
    """The site's server; with declared domains first those that refuse every other Host, with HTTPS the one that
    sends plain HTTP on.

    Where several sites share an nginx, its gateway refuses for them all.
    """
    is_default, refuses = not site.options.domains, bool(site.options.domains) and not place.gateway
    made = [_catch_all(site, place)] if refuses else []
    if site.has_https:
        made.append(_plain(site, place, is_default=is_default))
        made += [_no_names(site, place)] if refuses else []
    return [*made, *_others(site, place), _site(site, place, is_default=is_default)]


def listen_addresses(site: Site, place: Place) -> tuple[Address, ...]:
    """Every address of plain HTTP: `*` is IPv4 and, where the machine has it, IPv6."""
    return addresses(site.listen, place)


def https_addresses(site: Site, place: Place) -> tuple[Address, ...]:
    """Every address of HTTPS."""
    return addresses(site.https_listen, place) if site.has_https else ()


def addresses(wanted: Address, place: Place) -> tuple[Address, ...]:
    """Those that one address means on this machine."""
    if wanted.host != "*":
        return (wanted,)
    v4 = Address("0.0.0.0", wanted.port)  # noqa: S104  that is what `:80` asks for
    return (v4, Address("::", wanted.port)) if place.has_ipv6 else (v4,)


def backlog(place: Place) -> int:
    """Connections that may wait to be accepted, as many as the kernel allows."""
    return min(WANTED_BACKLOG, place.somaxconn)


def _site(site: Site, place: Place, *, is_default: bool) -> Directive:
    names = [*map(host_of, _served(site))] or ["localhost"]
    return block(
        "server", why="the site", cause=site.cause("domains"),
        of=_settled(site, [
            *_entrance(site, place, is_default=is_default),
            directive(
                "server_name", *names,
                why=_NAMED if site.options.domains else _UNNAMED,
                cause=site.cause("domains"),
            ),
            *_content(site, place),
        ]),
    )  # fmt: skip


def _settled(site: Site, of: list[Directive]) -> list[Directive]:
    return settled(of) if site.own_directives else of


def _content(site: Site, place: Place) -> list[Directive]:
    """What the site answers, wherever the connection came in."""
    return [
        *refuse_strangers(site),
        *refuse_odd_hosts(site),
        *capacity(site, place),
        *limit_status(site),
        *own_and_common(site),
        *status_headers(site, place),
        *tls.alternative(site, place),
        *failures(),
        tunnel(site),
        closing(way(site)),
        *spa_error(site),
        *told_to_app(site, place),
        *cache_rules(site, place),
        *told_by_routes(site),
        *locations(site, place),
        *in_server(site),
        *told_last(site),
    ]


def _entrance(site: Site, place: Place, *, is_default: bool) -> list[Directive]:
    """Where the site itself is reached: by HTTPS when it has it."""
    if not site.has_https:
        return _listen(site, place, is_default=is_default)
    return [*_listen_tls(site, place, is_default=is_default), *tls.certified(site, place)]


def _served(site: Site) -> list[str]:
    """The domains that show the site; with a canonical one, not those that are redirected to it."""
    return [domain for domain in site.options.domains if domain not in _redirected(site)]


def _redirected(site: Site) -> list[str]:
    canonical = site.options.canonical
    others = [domain for domain in site.options.domains if domain != canonical and not domain.startswith("*")]
    return others if canonical else []


def _others(site: Site, place: Place) -> list[Directive]:
    """The domains that lead to the canonical one."""
    names, cause = _redirected(site), site.cause("canonical")
    if not names:
        return []
    port = same_port(place)
    to = "https" if site.has_https else scheme(site)
    return [
        block(
            "server", why="names that lead to the one the site goes by", cause=cause,
            of=[
                *_entrance(site, place, is_default=False),
                directive("server_name", *map(host_of, names), why="every declared name but that one", cause=cause),
                *refuse_strangers(site),
        *refuse_odd_hosts(site),
                *common_headers(site),
                *([] if site.has_https else health_locations(site, place)),
                block(
                    "location", "/", why="one address for one page", cause=cause,
                    of=[
                        directive(
                            "return", 308, f"{to}://{host_of(site.options.canonical)}{port}$request_uri",
                            why="308 keeps a POST a POST", cause=cause,
                        )
                    ],
                ),
            ],
        )
    ]  # fmt: skip


def _plain(site: Site, place: Place, *, is_default: bool) -> Directive:
    """Plain HTTP beside HTTPS: challenge and health are answered, everything else is sent on.

    A declared proxy that ended the TLS itself is not sent round in circles: it gets the site.
    """
    names = [*map(host_of, site.options.domains)] or ["localhost"]
    if site.proxies:
        content = [tls.insecure(site), *tls.challenge(site, place), *_content(site, place)]
    else:
        content = [
            *refuse_strangers(site),
        *refuse_odd_hosts(site),
            *tls.challenge(site, place),
            *health_locations(site, place),
            block(
                "location", "/", why="everything else", cause=site.cause("https.mode"), of=[tls.to_https(site)]
            ),
        ]  # fmt: skip
    return block(
        "server", why="plain HTTP, which leads to HTTPS", cause=site.cause("https.mode"),
        of=_settled(site, [
            *_listen(site, place, is_default=is_default),
            directive("server_name", *names, why="the same names", cause=site.cause("domains")),
            *content,
        ]),
    )  # fmt: skip


def _no_names(site: Site, place: Place) -> Directive:
    """Clients name no server in the handshake when they ask for an IP address (RFC 6066, section 3)."""
    cause = site.cause("domains")
    if has_addresses(site.options.domains):
        why = (
            "clients that ask for an IP address give no name in the handshake: they are shown the certificate"
        )
        shown = tls.certified(site, place)
    else:
        why = "a name that was not declared, or none: no certificate is shown, so none tells our names"
        rejected = "ends the handshake with unrecognized_name (112)"
        shown = [
            *tls.protocols(site, place),
            directive("ssl_reject_handshake", "on", why=rejected, cause=cause),
        ]
    return block(
        "server", why=why, cause=cause,
        of=[
            *_listen_tls(site, place, is_default=True),
            *shown,
            directive("return", 444, why="a handshake for our name and a request for another: no answer", cause=cause),
        ],
    )  # fmt: skip


def _listen_tls(site: Site, place: Place, *, is_default: bool) -> list[Directive]:
    addresses = https_addresses(site, place)
    return [
        *_listen_at(
            addresses,
            [*tls.listen_words(site, place), *listen_words(site)],
            place,
            site.cause("https.listen"),
            is_default=is_default,
            more_why="; ".join(filter(None, (tls.listen_why(site, place), listen_why(site)))),
        ),
        *tls.quic_listen(site, place, addresses, is_default=is_default),
    ]


def _catch_all(site: Site, place: Place) -> Directive:
    cause = site.cause("domains")
    return block(
        "server", why="every Host that was not declared: scanners, and mails that would point elsewhere", cause=cause,
        of=[
            *_listen(site, place, is_default=True),
            directive("server_name", "_", why="a name no client sends", cause=cause),
            *refuse_strangers(site),
            *health_locations(site, place),
            block(
                "location", "/", why="anything else on a strange Host", cause=cause,
                of=[directive("return", 444, why="closes the connection without a word", cause=cause)],
            ),
        ],
    )  # fmt: skip


def _listen(site: Site, place: Place, *, is_default: bool) -> list[Directive]:
    addresses = listen_addresses(site, place)
    return _listen_at(
        addresses,
        listen_words(site),
        place,
        site.cause("listen"),
        is_default=is_default,
        more_why=listen_why(site),
    )


def _listen_at(
    addresses: tuple[Address, ...],
    more: list[str],
    place: Place,
    cause: str,
    *,
    is_default: bool,
    more_why: str = "",
) -> list[Directive]:
    made = []
    for address in addresses:
        words = [str(address), *more]
        if is_default:
            words += ["default_server", f"backlog={backlog(place)}"]
            words += ["ipv6only=on"] if address.is_v6 else []
        why = "where clients connect; a burst of connections waits here instead of being refused"
        why += f"; {more_why}" if more_why else ""
        made.append(directive("listen", *words, why=why, cause=cause))
    return made
