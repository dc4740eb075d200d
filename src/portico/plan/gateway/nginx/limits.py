"""How much one client may ask for and hold; refused with 429, as HTTP has it, not nginx's 503."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.gateway.nginx.conf import Directive, directive, entries
from portico.plan.gateway.nginx.entry.health import health_zone
from portico.plan.gateway.nginx.log.text import GUARD
from portico.plan.gateway.nginx.names import name_of, variable
from portico.plan.web.guards import InProgress, RequestRate
from portico.plan.web.limits import Share
from portico.plan.web.model import Web
from portico.plan.web.sizes import requests

_ZONE_SIZE = "10m"
"""About 160 000 client addresses, https://nginx.org/en/docs/http/ngx_http_limit_req_module.html"""


_BYTES_A_KEY = 128
"""A client that has a request in progress, https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html"""
_NUMBERED = r"\$\{?[0-9]"
HELD, BODIES = "portico_held", "portico_bodies"
COUNTED, CLIENT, _SENDER = "$portico_counted", "$portico_client", "$portico_sender"
SHARED = frozenset({HELD, BODIES, COUNTED[1:], CLIENT[1:], GUARD[1:]})
"""Names that all sites of a gateway share: one client has one share of all of them together."""
_UNCOUNTED, _BY_ADDRESS, _BY_NETWORK = "0", "4", "6"


def limit_zones(web: Web) -> list[Directive]:
    """The shared memory that counts, and by what, at `http` level."""
    rate, in_progress, made = web.limits.rate, web.limits.in_progress, [health_zone(web), *_proxies(web)]
    if rate:
        made.append(
            directive(
                "limit_req_zone", "$binary_remote_addr", f"zone={name_of(web, 'rate')}:{_ZONE_SIZE}",
                f"rate={rate.requests}",
                why="counts requests by client address, the real one behind a declared proxy", cause=rate.cause,
            )
        )  # fmt: skip
    if in_progress:
        made.append(
            directive(
                "limit_conn_zone", "$binary_remote_addr", f"zone={name_of(web, 'in_progress')}:{_ZONE_SIZE}",
                why="counts the requests in progress by client address", cause=in_progress.cause,
            )
        )  # fmt: skip
    return made


def capacity(web: Web) -> list[Directive]:
    """What one client may hold of all there is, at server level: of every location, files and error pages, too."""
    return [
        directive(
            "set", COUNTED, variable(web, "proxy_or_client") if web.limits.uncounted else _as(web),
            why="how the client is counted: by network, by address, or not at all", cause=web.limits.uncounted_cause,
        ),
        *held(web),
        directive("limit_conn_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
    ]  # fmt: skip


def held(web: Web) -> list[Directive]:
    """What one client may have in progress of everything."""
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


def _proxies(web: Web) -> list[Directive]:
    """At `http` level: a declared proxy that does not say for whom it asks stands for many clients."""
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
    """By network, except where own directives have numbered captures, which that of `clients` would replace."""
    return _BY_ADDRESS if web.own.say(_NUMBERED) else _BY_NETWORK


def clients(place: Place) -> list[Directive]:
    """At `http` level, once for all sites of a gateway: who counts as one client, and the memory that counts.

    nginx knows no way to a part of an address but a regular expression. Captures in maps are avoided otherwise
    (CVE-2026-42533, CVE-2026-93479: of a string made of several parts, one changes another's captures). This one is
    named, of fixed length, and stands alone wherever it is used.
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
                (rf"~(?s)^{_BY_NETWORK}(?<portico_network>.{{8}}).{{8}}$", "$portico_network"),
            ],
            why="who counts as one client: an IPv4 address, or an IPv6 network of 64 bits, because whoever "
            "holds one address of it holds all",
        ),
        entries(
            "map", "$request_method:$content_length:$http_transfer_encoding", _SENDER,
            table=[("default", CLIENT), ("GET::", ""), ("HEAD::", ""), (r"~:\d{1,4}:$", "")],
            why="the client, of a request whose body may be too long for the memory",
        ),
        *(_zone(place, key, zone) for key, zone in ((CLIENT, HELD), (_SENDER, BODIES))),
    ]  # fmt: skip


def _zone(place: Place, key: str, zone: str) -> Directive:
    size = max(1, -(-2 * requests(place) * _BYTES_A_KEY >> 20))
    return directive(
        "limit_conn_zone", key, f"zone={zone}:{size}m",
        why="counts the requests in progress by client; room for as many clients as there are connections",
    )  # fmt: skip


def counted(web: Web, guard: RequestRate | InProgress) -> list[Directive]:
    """What is counted where requests go to the app, and refused above a limit."""
    if isinstance(guard, RequestRate):
        return _module(
            web, "limit_req", f"zone={name_of(web, 'rate')}", f"burst={guard.rate.burst}", "nodelay",
            cause=guard.rate.cause,
            why="lets a burst through at once and refuses requests above it, instead of delaying everybody",
        )  # fmt: skip
    return _module(
        web, "limit_conn", name_of(web, "in_progress"), str(guard.share.most), cause=guard.share.cause,
        why="how many requests one client may have in progress at once",
    )  # fmt: skip


def _module(web: Web, name: str, *args: str, why: str, cause: str) -> list[Directive]:
    made = [
        directive(name, *args, why=why, cause=cause),
        directive(
            f"{name}_status", 429, why="429 Too Many Requests; nginx's own default is 503", cause=cause
        ),
    ]
    if web.limits.is_dry_run:
        made.append(
            directive(
                f"{name}_dry_run", "on", why="only logs what would be refused", cause=web.limits.dry_run_cause
            )
        )
    return made
