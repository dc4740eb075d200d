"""Who the client is: decided by nginx alone, from the connection and from declared proxies (D1)."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, directive, entries
from portico.site.model import Site
from portico.site.proxies import KNOWN_PROXIES

BLANKED = (
    "Forwarded", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Url-Scheme", "X-Scheme",
    "X-HTTPS", "Front-End-Https", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-Host", "Script-Name",
    "Path-Info", "Remote-Addr", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Proxy",
)  # fmt: skip
"""Headers in which clients lie about who and where, and which some library believes: never passed on."""
WHO = ("Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups")
"""Headers in which a proxy that asks for a login names the user: passed on from a declared proxy only."""


def blanked(site: Site) -> tuple[str, ...]:
    """The headers of a client that never reach the app."""
    return BLANKED if site.options.behind else BLANKED + WHO


def trust(site: Site) -> list[Directive]:
    """Client address and scheme, as variables that the log and the app are given."""
    ranges = [net for entry in site.options.behind for net in KNOWN_PROXIES.get(entry, (entry,))]
    if not ranges:
        return [_scheme_of_connection(site)]
    return [*_real_ip(site, ranges), *_scheme_of_proxy(site, ranges)]


def _scheme_of_connection(site: Site) -> Directive:
    return entries(
        "map", "$scheme", "$portico_scheme", table=[("default", "$scheme")],
        why="the scheme is the connection's own: no header a client sends can change it",
        cause=site.cause("behind"),
    )  # fmt: skip


def _real_ip(site: Site, ranges: list[str]) -> list[Directive]:
    cause = site.cause("behind")
    header = "CF-Connecting-IP" if site.options.behind == ["cloudflare"] else "X-Forwarded-For"
    return [
        *(
            directive(
                "set_real_ip_from", net,
                why="a proxy at this address may say who the client is; nobody else may", cause=cause,
            )
            for net in ranges
        ),
        directive(
            "real_ip_header", header, why="the header in which those proxies name the client", cause=cause
        ),
        directive(
            "real_ip_recursive", "on",
            why="skips every trusted proxy in the list, so that the address left is the last one "
            "that nobody we trust made up",
            cause=cause,
        ),
    ]  # fmt: skip


def _scheme_of_proxy(site: Site, ranges: list[str]) -> list[Directive]:
    cause = site.cause("behind")
    return [
        entries(
            "geo", "$realip_remote_addr", "$portico_behind",
            table=[("default", "0"), *((net, "1") for net in ranges)],
            why="1 when the connection comes from a trusted proxy", cause=cause,
        ),
        entries(
            "map", "$portico_behind:$http_x_forwarded_proto", "$portico_scheme",
            table=[("1:https", "https"), ("1:http", "http"), ("default", "$scheme")],
            why="only a trusted proxy may say that the client used https", cause=cause,
        ),
    ]  # fmt: skip
