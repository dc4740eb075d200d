"""nginx.conf of a shared gateway: what its sites have in common, and the includes of their fragments."""

from __future__ import annotations

from collections.abc import Sequence

from portico.place.model import Place
from portico.plan.bindings import Bindings, Spoken, addresses
from portico.plan.files import File
from portico.plan.gateway.nginx.entry import tls
from portico.plan.gateway.nginx.http import maps, room, shared
from portico.plan.gateway.nginx.log.line import log_of_strangers
from portico.plan.gateway.nginx.main import events, process
from portico.plan.gateway.nginx.server import said_of
from portico.plan.gateway.nginx.syntax import Directive, block, directive, render
from portico.plan.paths import FRAGMENT, hosted_files
from portico.plan.subjects import Tls
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.entry.listeners import backlog
from portico.plan.web.processes import processes
from portico.values import Address

_CAUSE = "several sites"
_BACKLOG = "a burst of connections waits here instead of being refused"


def host_conf(bindings: Sequence[Bindings], place: Place) -> File:
    """nginx.conf for the sites with these bindings, which do not conflict."""
    return File("nginx.conf", tuple(render(tree(tuple(bindings), place))))


def tree(bindings: tuple[Bindings, ...], place: Place) -> list[Directive]:
    """The configuration as a tree of directives with reasons."""
    of = processes(place)
    users = {name for one in bindings for name in one.sets}
    return [
        *process(of, place, inspects=any(one.inspects for one in bindings)),
        events(of),
        block(
            "http", why="everything HTTP",
            of=[
                *(one for one in (*shared(place), *room(len(bindings), _CAUSE)) if one.name not in users),
                *maps(),
                *log_of_strangers(place),
                *_strangers(bindings, place),
                *map(_included, bindings),
            ],
        ),
    ]  # fmt: skip


def _strangers(bindings: tuple[Bindings, ...], place: Place) -> list[Directive]:
    """One server for each address on which no site takes every Host."""
    taken = {address for one in bindings if not one.domains for address in one.addresses}
    shown = {address: one for one in bindings for address in one.nameless}
    return [
        _stranger(address, words, place, shown.get(address))
        for address, words in addresses(bindings).items()
        if address not in taken
    ]


def _stranger(address: Address, words: tuple[Spoken, ...], place: Place, shown: Bindings | None) -> Directive:
    of_socket = ["default_server", f"backlog={backlog(place)}", *(["ipv6only=on"] if address.is_v6 else [])]
    return block(
        "server", why="requests for a Host that no site declared: scanners, and links in mails that would "
        "point elsewhere", cause=_CAUSE,
        of=[
            directive(
                "listen", address, *said_of(words), *of_socket,
                why=f"settings of a socket that sites share are written once; {_BACKLOG}", cause=_CAUSE,
            ),
            directive("server_name", "_", why="a name no client sends", cause=_CAUSE),
            *(_certificate(place, shown) if Spoken.TLS in words else []),
            block(
                "location", "=", HEALTH, why="says that the gateway is there; each site's own health is under its Host",
                of=[
                    directive("access_log", "off", why="a check every second would drown the log"),
                    directive("default_type", "text/plain", why="one word, not a page"),
                    directive("return", 200, "ok", why="nginx itself answers"),
                ],
            ),
            block(
                "location", "/", why="anything else for an unknown Host", cause=_CAUSE,
                of=[directive("return", 444, why="closes the connection without an answer", cause=_CAUSE)],
            ),
        ],
    )  # fmt: skip


def _certificate(place: Place, shown: Bindings | None) -> list[Directive]:
    """It also begins the handshakes of every site there: the server name is known a little later."""
    made = tls.shared(place.gateway, _CAUSE)
    if shown is None:
        return [
            *made,
            directive("ssl_reject_handshake", "on", why="no certificate is for this name", cause=_CAUSE),
        ]
    path = f"{hosted_files(shown.name)}/{Tls.CERTIFICATE}"
    why = "clients that ask for an IP address give no name in the handshake: nginx shows them this site's certificate"
    return [
        *made,
        directive("ssl_certificate", path, why=why, cause=shown.origin),
        directive("ssl_certificate_key", path, why="the key in the same file: 0600", cause=shown.origin),
    ]


def _included(one: Bindings) -> Directive:
    return directive(
        "include", f"{hosted_files(one.name)}/{FRAGMENT}", why="a site: its variables, its upstream, its servers",
        cause=one.origin,
    )  # fmt: skip
