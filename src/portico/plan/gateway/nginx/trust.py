"""Who the client is: decided by nginx alone, from the connection and from declared proxies."""

from __future__ import annotations

from functools import lru_cache

from portico.plan.gateway.nginx.conf import Directive, block, directive, entries
from portico.plan.web.model import Web
from portico.plan.web.trust import Proxies, Trust

WHO_SENT = "X-Portico-Proxy"
"""Tells Portico's workers whether a declared proxy sent the request; the value is that of `sender`."""


def of_proxy(web: Web) -> list[tuple[str, str]]:
    """The headers that reach the app from a declared proxy only, and nginx's variables of their values."""
    return [(name, _said(name)) for name in web.trust.from_proxy]


def sender(web: Web) -> str:
    """The variable that is 1 when a declared proxy sent the request, 2 for one that many share, and else 0."""
    proxies = web.trust.proxies
    return "$portico_proxy" if proxies and proxies.shared else "$portico_behind"


def trust(web: Web) -> list[Directive]:
    """Client address and scheme, as variables that the log and the app are given."""
    proxies = web.trust.proxies
    if not proxies:
        return []
    said = _said_maps(web.trust.from_proxy, web.trust.from_shared, sender(web), proxies.cause)
    return [
        *_real_ip(web.trust, proxies), *_behind(proxies), _scheme_of_proxy(proxies), *said,
        *_strangers(web.trust),
    ]  # fmt: skip


def scheme(web: Web) -> str:
    """The client's scheme: a map's where a proxy may say it, the connection's own, or the only one there is.

    Own directives may listen for TLS, too.
    """
    if web.trust.proxies:
        return "$portico_scheme"
    is_plain = not web.listeners.tls and not any("listen" in one.text for one in web.site.nginx_server)
    return "http" if is_plain else "$scheme"


def https(web: Web) -> str:
    """The variable that is `on` when the client came by https."""
    return "$portico_https" if web.trust.proxies else "$https"


def refuse_strangers(web: Web) -> list[Directive]:
    """What a node does with who is no gateway of its own, at server level."""
    if not web.trust.gateways:
        return []
    cause = web.trust.gateways_cause
    why = "this host answers its gateways only: anybody else's connection is closed without a word"
    return [
        block(
            "if", "($portico_stranger)", why=why, cause=cause,
            of=[directive("return", 444, why=why, cause=cause)],
        )
    ]  # fmt: skip


def _strangers(trust: Trust) -> list[Directive]:
    if not trust.gateways:
        return []
    return [
        entries(
            "geo", "$realip_remote_addr", "$portico_stranger",
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
                why="a proxy at this address may say who the client is; nobody else may",
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
            why="those proxies name the client before its first byte; what anybody else names there counts for nothing",
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
            why="skips every trusted proxy in the list, so that the address left is the last one "
            "that nobody we trust made up",
            cause=cause,
        ),
    ]  # fmt: skip


def _behind(proxies: Proxies) -> list[Directive]:
    nets, cause = proxies.networks, proxies.cause
    made = [
        entries(
            "geo", "$realip_remote_addr", "$portico_behind",
            table=[("default", "0"), *((net, "1") for net in nets)],
            why="1 when the connection comes from a trusted proxy", cause=cause,
        )
    ]  # fmt: skip
    if proxies.shared:
        made.append(
            entries(
                "geo", "$realip_remote_addr", "$portico_proxy",
                table=[("default", "0"), *((net, "2" if net in proxies.shared else "1") for net in nets)],
                why="2 for a proxy that many share: it is believed in its own headers only", cause=cause,
            )
        )  # fmt: skip
    return made


def _scheme_of_proxy(proxies: Proxies) -> Directive:
    """Of a list the entry of the nearest proxy counts, which is the last; a WebSocket's scheme is that of its page."""
    last = "^1:(?:.*,)?[ \\t]*"
    rows = [
        ("1:https", "https"),
        ("1:http", "http"),
        (f"~*{last}(?:https|wss)[ \\t]*$", "https"),
        (f"~*{last}(?:http|ws)[ \\t]*$", "http"),
    ]
    return entries(
        "map", "$portico_behind:$http_x_forwarded_proto", "$portico_scheme",
        table=[*(rows if proxies.says_scheme else []), ("default", "$scheme")],
        why="only a trusted proxy may say that the client used https", cause=proxies.cause,
    )  # fmt: skip


@lru_cache(8)
def _said_maps(
    names: tuple[str, ...], of_shared: frozenset[str], sent_by: str, cause: str
) -> tuple[Directive, ...]:
    return tuple(
        entries(
            "map", sent_by, _said(name),
            table=[
                ("default", ""),
                ("1", f"$http_{_word(name)}"),
                *([("2", f"$http_{_word(name)}")] if name in of_shared else []),
            ],
            why=f"{name} counts from a trusted proxy only", cause=cause,
        )
        for name in names
    )  # fmt: skip


def _said(name: str) -> str:
    return f"$portico_said_{_word(name)}"


def _word(name: str) -> str:
    return name.lower().replace("-", "_")
