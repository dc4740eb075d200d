"""The server blocks: which Host is answered, and by whom."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.nginx.cache import cache_rules, status_headers
from portico.plan.nginx.conf import Directive, block, directive, verbatim
from portico.plan.nginx.link import told_to_app
from portico.plan.nginx.locations import (
    common_headers,
    health_locations,
    locations,
    tunnel,
)
from portico.plan.nginx.pages import closing, failures
from portico.plan.nginx.routes import told_by_routes
from portico.plan.nginx.spa import spa_error
from portico.plan.nginx.trust import refuse_strangers
from portico.site.model import Site
from portico.values import Address

WANTED_BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel's own default for net.core.somaxconn since 5.4."""


_NAMED = "the hosts this site answers to"
_UNNAMED = "any host is answered; this is the name when a client gives none"


def servers(site: Site, place: Place) -> list[Directive]:
    """The site's server, and with declared domains a first one that refuses every other Host.

    Where several sites share an nginx, its gateway refuses for them all.
    """
    if not site.options.domains or place.gateway:
        return [_site(site, place, is_default=not site.options.domains)]
    return [_catch_all(site, place), _site(site, place, is_default=False)]


def listen_addresses(site: Site, place: Place) -> tuple[Address, ...]:
    """Every address nginx listens on: `*` is IPv4 and, where the machine has it, IPv6."""
    return addresses(site.listen, place)


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
    names = site.options.domains or ["localhost"]
    return block(
        "server", why="the site", cause=site.cause("domains"),
        of=[
            *_listen(site, place, is_default=is_default),
            directive(
                "server_name", *names,
                why=_NAMED if site.options.domains else _UNNAMED,
                cause=site.cause("domains"),
            ),
            *refuse_strangers(site),
            *common_headers(),
            *status_headers(site, place),
            *failures(),
            tunnel(),
            closing(),
            *spa_error(site),
            *told_to_app(site, place),
            *cache_rules(site, place),
            *told_by_routes(site),
            *locations(site, place),
            *_own(site),
        ],
    )  # fmt: skip


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
    cause = site.cause("listen")
    made = []
    for address in listen_addresses(site, place):
        words = [str(address)]
        if is_default:
            words += ["default_server", f"backlog={backlog(place)}"]
            words += ["ipv6only=on"] if address.is_v6 else []
        why = "where clients connect; a burst of connections waits here instead of being refused"
        made.append(directive("listen", *words, why=why, cause=cause))
    return made


def _own(site: Site) -> list[Directive]:
    return own_lines(site, "nginx.server", site.nginx_server)


def own_lines(site: Site, key: str, texts: tuple[str, ...]) -> list[Directive]:
    """The user's own directives; nginx -t is their judge."""
    return [verbatim(text, site.cause(key)) for text in texts]
