"""Who the client is: decided by nginx alone, from the connection and from declared proxies (D1)."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, block, directive, entries
from portico.site.model import Site
from portico.site.proxies import KNOWN_PROXIES

BLANKED = (
    "Forwarded", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Url-Scheme", "X-Scheme",
    "X-HTTPS", "Front-End-Https", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-Host", "Script-Name",
    "Path-Info", "Remote-Addr", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Proxy",
)  # fmt: skip
"""Headers in which clients lie about who and where, and which some library believes: never passed on."""
TRACE = "X-Portico-Trace"
WHO = ("Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups")
"""Headers in which a proxy that asks for a login names the user: passed on from a declared proxy only."""


def blanked(site: Site) -> tuple[str, ...]:
    """The headers of a client that never reach the app."""
    # Portico's own worker takes the header of a trace out itself; it means nothing to anybody else.
    own = () if site.has_app and site.options.workers.server == "gunicorn" else (TRACE,)
    return BLANKED + own if site.proxies else BLANKED + WHO + own


def trust(site: Site) -> list[Directive]:
    """Client address and scheme, as variables that the log and the app are given."""
    nets = ranges(site)
    if not nets:
        return []
    return [*_real_ip(site, nets), *_scheme_of_proxy(site, nets), *_strangers(site)]


def ranges(site: Site) -> list[str]:
    """The networks of the declared proxies."""
    return [net for entry in site.proxies for net in KNOWN_PROXIES.get(entry, (entry,))]


def scheme(site: Site) -> str:
    """The client's scheme: a map's where a proxy may say it, the connection's own, or the only one there is.

    Own directives may listen for TLS, too.
    """
    if site.proxies:
        return "$portico_scheme"
    is_plain = not site.has_https and not any("listen" in text for text in site.nginx_server)
    return "http" if is_plain else "$scheme"


def https(site: Site) -> str:
    """The variable that is `on` when the client came by https."""
    return "$portico_https" if site.proxies else "$https"


def refuse_strangers(site: Site) -> list[Directive]:
    """What a node does with who is no gateway of its own, at server level."""
    if not site.options.node.gateways:
        return []
    cause = site.cause("node.gateways")
    why = "this host answers its gateways only: anybody else's connection is closed without a word"
    return [
        block(
            "if", "($portico_stranger)", why=why, cause=cause,
            of=[directive("return", 444, why=why, cause=cause)],
        )
    ]  # fmt: skip


def _strangers(site: Site) -> list[Directive]:
    gateways = site.options.node.gateways
    if not gateways:
        return []
    # Portico itself asks whether the node is well, from this machine.
    own = dict.fromkeys(("127.0.0.1", "::1", *([] if site.listen.is_wildcard else [site.listen.host])))
    return [
        entries(
            "geo", "$realip_remote_addr", "$portico_stranger",
            table=[("default", "1"), *((net, "0") for net in (*own, *gateways))],
            why="1 when the connection comes neither from a gateway nor from this machine",
            cause=site.cause("node.gateways"),
        )
    ]  # fmt: skip


def _cause(site: Site) -> str:
    return site.cause("node.gateways" if site.options.node.gateways else "behind")


def _real_ip(site: Site, ranges: list[str]) -> list[Directive]:
    cause = _cause(site)
    header = "CF-Connecting-IP" if site.proxies == ["cloudflare"] else "X-Forwarded-For"
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
    cause = _cause(site)
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
