"""The limit on all requests in progress of one client, and the definition of a client."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.nginx.log.text import CROWDED
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.limits import Fair, Share
from portico.plan.web.model import Web
from portico.plan.web.sizes import requests

BYTES_A_KEY = 128
"""A client that has a request in progress, https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html"""
HELD, BODIES = "portico_held", "portico_bodies"
COUNTED, CLIENT, _SENDER = "$portico_counted", "$portico_client", "$portico_sender"
_UNCOUNTED, _BY_ADDRESS, _BY_NETWORK = "0", "4", "6"
_NUMBERED = r"\$\{?[0-9]"
MAPPED = r"\x00{10}\xff\xff"
"""What stands before an IPv4 address that a proxy writes as an IPv6 one.

https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
"""


def capacity(web: Web) -> list[Directive]:
    """At server level: a client's share of the whole capacity, for every location, files and error pages, too."""
    return [
        directive(
            "set", COUNTED, variable(web, "proxy_or_client") if web.limits.uncounted else _as(web),
            why="how the client is counted: by network, by address, or not at all", cause=web.limits.uncounted_cause,
        ),
        *([] if web.listeners.routed else held(web)),
        directive("limit_conn_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
        *([noticed(web.limits.fair)] if web.waf and web.limits.fair else []),
    ]  # fmt: skip


def noticed(fair: Fair) -> Directive:
    """In a location: one at server level would look for the flag at each file, too. With a firewall it is there all the
    same: a location that hands its requests on (`try_files`) no longer does so once an `if` of it holds.
    """
    return block(
        "if", "(-f", f"{fair.flag})",
        why="this file exists while more requests come than the app answers; looking for it costs 0.4 to 1.4 us",
        of=[directive("set", CROWDED, CLIENT, why="clients are counted, and get fair shares of the app")],
    )  # fmt: skip


def held(web: Web) -> list[Directive]:
    """A client's limit on requests in progress of any kind."""
    return [
        _share(
            HELD, web.limits.held,
            "requests that one client may have in progress, slow downloads and event streams among them: an eighth "
            "of what this nginx can hold, so that one address cannot take the site away from the others",
        ),
        _share(
            BODIES, web.limits.bodies,
            "those of them that send a body, which may wait on disk: one client fills a small part of it",
        ),
    ]  # fmt: skip


def _share(zone: str, share: Share, why: str) -> Directive:
    return directive("limit_conn", zone, share.most, why=why, cause=share.cause)


def proxies(web: Web) -> list[Directive]:
    """At `http` level: a declared proxy that does not name the client stands for many clients."""
    if not web.limits.uncounted:
        return []
    return [
        entries(
            "geo", variable(web, "proxy_or_client"),
            table=[("default", _as(web)), *((net, _UNCOUNTED) for net in web.limits.uncounted)],
            why="declared proxies themselves are not counted as one client", cause=web.limits.uncounted_cause,
        )
    ]  # fmt: skip


def _as(web: Web) -> str:
    """By network, except where own directives have numbered captures, which that of `clients` would overwrite."""
    return _BY_ADDRESS if web.own.say(_NUMBERED) else _BY_NETWORK


def clients(place: Place) -> list[Directive]:
    """At `http` level, once for all sites of a gateway: the key of a client, and the memory for counting.

    nginx can extract a part of an address only by a regular expression. Generated maps avoid captures otherwise
    (CVE-2026-42533, CVE-2026-93479: in a string of several parts, one part changes another's captures). This one is
    named, of fixed length, and used only alone.
    """
    return [
        entries(
            "map", "", COUNTED, table=[("default", _BY_ADDRESS)],
            why="the default where no server of a site sets it, so that nginx knows the name",
        ),
        entries(
            "map", f"{COUNTED}$binary_remote_addr", CLIENT,
            table=[
                ("default", "$binary_remote_addr"),
                (f"~^{_UNCOUNTED}", ""),
                (rf"~(?s)^{_BY_NETWORK}{MAPPED}(?<portico_v4>.{{4}})$", "$portico_v4"),
                (rf"~(?s)^{_BY_NETWORK}(?<portico_network>.{{8}}).{{8}}$", "$portico_network"),
            ],
            why="who counts as one client: an IPv4 address (also one written as ::ffff:192.0.2.1), or a network of 64 "
            "bits of IPv6, because whoever holds one address of it holds all",
        ),
        entries(
            "map", "$request_method:$content_length:$http_transfer_encoding", _SENDER,
            table=[("default", CLIENT), ("GET::", ""), ("HEAD::", ""), (r"~:\d{1,4}:$", "")],
            why="the client, of a request whose body may be too long for the memory",
        ),
        *(_zone(place, key, zone) for key, zone in ((CLIENT, HELD), (_SENDER, BODIES))),
    ]  # fmt: skip


def zone_size(place: Place) -> int:
    """MiB for as many clients as there are connections."""
    return max(1, -(-2 * requests(place) * BYTES_A_KEY >> 20))


def _zone(place: Place, key: str, zone: str) -> Directive:
    return directive(
        "limit_conn_zone", key, f"zone={zone}:{zone_size(place)}m",
        why="counts the requests in progress by client; room for as many clients as there are connections",
    )  # fmt: skip
