"""The client's identity: nginx alone decides it, from the connection and from declared proxies."""

from __future__ import annotations

from portico.plan.gateway.nginx.names import header_word, variable
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.entry.trust import Proxies, Trust
from portico.plan.web.model import Web
from portico.site.proxies import ROUTED

WHO_SENT = "X-Portico-Proxy"
"""Tells Portico's workers whether a declared proxy sent the request; the value is that of `sender`."""


def of_proxy(web: Web) -> list[tuple[str, str]]:
    """The headers that reach the app from a declared proxy only, and nginx's variables with their values."""
    return [(name, _said(web, name)) for name in web.trust.from_proxy]


def sender(web: Web) -> str:
    """The variable that is 1 if a declared proxy sent the request, 2 for a proxy that many customers share, else 0."""
    proxies = web.trust.proxies
    return variable(web, "proxy") if proxies and proxies.shared else variable(web, "behind")


def trust(web: Web) -> list[Directive]:
    """The client's address and scheme, as variables for the log and the app."""
    proxies = web.trust.proxies
    if not proxies:
        return []
    return [
        *_real_ip(web.trust, proxies), *_behind(web, proxies), _scheme_of_proxy(web, proxies),
        *_said_maps(web, proxies), *_strangers(web),
    ]  # fmt: skip


def scheme(web: Web) -> str:
    """The client's scheme: from a map if a proxy may set it, from the connection, or the only one that there is.

    Own directives may listen for TLS, too.
    """
    if web.trust.proxies:
        return variable(web, "scheme")
    is_plain = not web.listeners.tls and not any("listen" in one.text for one in web.own.server)
    return "http" if is_plain else "$scheme"


def https(web: Web) -> str:
    """The variable that is `on` if the client used https."""
    return variable(web, "https") if web.trust.proxies else "$https"


def refuse_strangers(web: Web) -> list[Directive]:
    """At server level: how a node treats connections that are not from its gateways."""
    if not web.trust.gateways:
        return []
    cause = web.trust.gateways_cause
    why = "only declared proxies are answered here: any other connection is closed without an answer"
    return [
        block(
            "if", f"({variable(web, 'stranger')})", why=why, cause=cause,
            of=[directive("return", 444, why=why, cause=cause)],
        )
    ]  # fmt: skip


def _strangers(web: Web) -> list[Directive]:
    trust = web.trust
    if not trust.gateways:
        return []
    return [
        entries(
            "geo", "$realip_remote_addr", variable(web, "stranger"),
            table=[("default", "1"), *((net, "0") for net in trust.gateways)],
            why="1 when the connection comes neither from a gateway nor from this machine",
            cause=trust.gateways_cause,
        )
    ]  # fmt: skip


def _real_ip(trust: Trust, proxies: Proxies) -> list[Directive]:
    return [
        *(
            directive(
                "set_real_ip_from", net,
                why="a proxy at this address may name the client; no other address may",
                cause=proxies.cause,
            )
            for net in proxies.networks
        ),
        *(_in_first_line(trust) if not proxies.header else _in_header(proxies)),
    ]  # fmt: skip


def _in_first_line(trust: Trust) -> list[Directive]:
    return [
        directive(
            "real_ip_header", "proxy_protocol", cause=trust.protocol_cause,
            why="those proxies name the client before its first byte; from any other client, that line is ignored",
        )
    ]  # fmt: skip


def _in_header(proxies: Proxies) -> list[Directive]:
    cause = proxies.cause
    return [
        directive(
            "real_ip_header", proxies.header, why="where those proxies name the client", cause=cause
        ),
        directive(
            "real_ip_recursive", "on",
            why="skips every trusted proxy in the list: the last address that is not a trusted proxy is the client",
            cause=cause,
        ),
    ]  # fmt: skip


def _behind(web: Web, proxies: Proxies) -> list[Directive]:
    nets, cause = proxies.networks, proxies.cause
    if nets == (ROUTED,):
        return [
            entries(
                "map", "$realip_remote_addr", variable(web, "behind"), table=[("default", "0"), (ROUTED, "1")],
                why="1 for a request from a site that routes here: nobody else reaches its socket", cause=cause,
            )
        ]  # fmt: skip
    made = [
        entries(
            "geo", "$realip_remote_addr", variable(web, "behind"),
            table=[("default", "0"), *((net, "1") for net in nets)],
            why="1 when the connection comes from a trusted proxy", cause=cause,
        )
    ]  # fmt: skip
    if proxies.shared:
        made.append(
            entries(
                "geo", "$realip_remote_addr", variable(web, "proxy"),
                table=[("default", "0"), *((net, "2" if net in proxies.shared else "1") for net in nets)],
                why="2 for a proxy that many customers share: only its own headers are believed", cause=cause,
            )
        )  # fmt: skip
    return made


def _scheme_of_proxy(web: Web, proxies: Proxies) -> Directive:
    """In a list, the last entry counts: the nearest proxy's. A WebSocket's scheme is that of its page."""
    last = "^1:(?:.*,)?[ \\t]*"
    rows = [
        ("1:https", "https"),
        ("1:http", "http"),
        (f"~*{last}(?:https|wss)[ \\t]*$", "https"),
        (f"~*{last}(?:http|ws)[ \\t]*$", "http"),
    ]
    return entries(
        "map", f"{variable(web, 'behind')}:$http_x_forwarded_proto", variable(web, "scheme"),
        table=[*(rows if proxies.says_scheme else []), ("default", "$scheme")],
        why="only a trusted proxy may say that the client used https", cause=proxies.cause,
    )  # fmt: skip


def _said_maps(web: Web, proxies: Proxies) -> list[Directive]:
    return [
        entries(
            "map", sender(web), value,
            table=[
                ("default", ""),
                ("1", f"$http_{header_word(name)}"),
                *([("2", f"$http_{header_word(name)}")] if name.lower().startswith("cf-") else []),
            ],
            why=f"{name} counts from a trusted proxy only", cause=proxies.cause,
        )
        for name, value in _of_all(web)
    ]  # fmt: skip


def _of_all(web: Web) -> list[tuple[str, str]]:
    """The headers for the app, and those for the servers of rules."""
    trusts = (web.trust, *(one.passage.trust for one in web.routing.passed if one.passage))
    return [
        (name, _said(web, name)) for name in dict.fromkeys(name for one in trusts for name in one.from_proxy)
    ]


def _said(web: Web, name: str) -> str:
    return variable(web, f"said_{header_word(name)}")
