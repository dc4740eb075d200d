"""The client's identity: the connection and declared proxies decide it, nothing that a client sends."""

from __future__ import annotations

from collections.abc import Iterable

from portico.plan.gateway.httpd.entry.proxy_line import declared, first_line_exceptions, own_hosts
from portico.plan.gateway.httpd.names import BEHIND, SCHEME, SENDER
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.entry.trust import Proxies
from portico.plan.web.model import Web

_EXPR = "https://httpd.apache.org/docs/2.4/expr.html"
_STRANGER, _LIAR = "PORTICO_STRANGER", "PORTICO_LIAR"


def real_ip(web: Web) -> list[Directive]:
    """For the whole configuration: where declared proxies name the client."""
    proxies = web.trust.proxies
    if web.listeners.has_proxy_protocol:
        return first_line_exceptions(web)
    if not proxies or not proxies.header:
        return []
    why = "a proxy at this address may name the client; of a list, the last address that is not a proxy's counts"
    return [
        directive("RemoteIPHeader", proxies.header, why="where those proxies name the client", cause=proxies.cause),
        *(directive("RemoteIPInternalProxy", net, why=why, cause=proxies.cause) for net in proxies.networks),
    ]  # fmt: skip


def trust(web: Web, *, is_tls: bool) -> list[Directive]:
    """In a virtual host: who sent the request, and the client's scheme."""
    own = "https" if is_tls else "http"
    made = _first_lines(web)
    made += [setting("true", f"{SCHEME}={own}", "the scheme of the connection", web.trust.cause)]
    proxies = web.trust.proxies
    if proxies is None:
        return made
    cause, why = proxies.cause, "the connection comes from a declared proxy"
    made += [setting("true", f"{BEHIND}=0", "any other connection", cause)]
    made += [setting("true", f"{SENDER}=0", "any other connection", cause)]
    made += [setting(from_networks(proxies.networks), f"{BEHIND}=1", why, cause)]
    one = [net for net in proxies.networks if net not in proxies.shared]
    if one:
        made.append(setting(from_networks(one), f"{SENDER}=1", why, cause))
    if proxies.shared:
        why = "a proxy that many customers share: only its own headers are believed"
        made.append(setting(from_networks(sorted(proxies.shared)), f"{SENDER}=2", why, cause))
    return [*made, *(_scheme_of_proxy(proxies) if proxies.says_scheme else [])]


def _first_lines(web: Web) -> list[Directive]:
    if not web.listeners.has_proxy_protocol:
        return []
    cause, why = web.trust.protocol_cause, "declared proxies name the client before its first byte"
    return [directive("RemoteIPProxyProtocol", "On", why=why, cause=cause)]


def _scheme_of_proxy(proxies: Proxies) -> list[Directive]:
    """In a list, the last entry counts: the nearest proxy's. A WebSocket's scheme is that of its page."""
    why = "only a trusted proxy may say which scheme the client used"
    said = "req_novary('X-Forwarded-Proto') =~ m#(?:^|,)[ \\t]*(?:" + "{})[ \\t]*$#i"
    return [
        setting(f"reqenv('{BEHIND}') == '1' && {said.format(words)}", f"{SCHEME}={scheme}", why, proxies.cause)
        for scheme, words in (("https", "https|wss"), ("http", "http|ws"))
    ]  # fmt: skip


def strangers(web: Web) -> list[Directive]:
    """In a virtual host: connections that are not from declared gateways are refused."""
    made = _false_neighbours(web)
    if not web.trust.gateways:
        return made
    cause, why = web.trust.gateways_cause, "only declared proxies are answered here"
    return [
        *made,
        setting(f"! ({from_networks(web.trust.gateways)})", f"{_STRANGER}=1", why, cause),
        directive("RewriteCond", f"%{{ENV:{_STRANGER}}}", "=1", why=why, cause=cause),
        directive("RewriteRule", "^", "-", "[R=421,L]", why=f"{why}: any other gets 421", cause=cause),
    ]  # fmt: skip


def _false_neighbours(web: Web) -> list[Directive]:
    """Portico itself sends the first line of the PROXY protocol without a client in it; nobody else on this machine
    may name one, unless that is a declared proxy.
    """
    if not web.listeners.has_proxy_protocol:
        return []
    cause, why = (
        web.trust.protocol_cause,
        "only declared proxies may name a client; Portico itself names none",
    )
    is_here, is_proxy = from_networks(own_hosts(web)), from_networks(declared(web))
    named = "%{REMOTE_ADDR} != %{CONN_REMOTE_ADDR}"
    return [
        setting(f"({is_here}) && ! ({is_proxy}) && {named}", f"{_LIAR}=1", why, cause),
        directive("RewriteCond", f"%{{ENV:{_LIAR}}}", "=1", why=why, cause=cause),
        directive("RewriteRule", "^", "-", "[R=421,L]", why=why, cause=cause),
    ]


def from_networks(networks: Iterable[str]) -> str:
    """The condition that the connection comes from one of these."""
    return " || ".join(f"%{{CONN_REMOTE_ADDR}} -ipmatch '{net}'" for net in networks)


def setting(condition: str, assigned: str, why: str, cause: str = "") -> Directive:
    """Sets a variable of the request when the condition is true, before anything else looks at the request."""
    return directive("SetEnvIfExpr", condition, assigned, why=why, cause=cause, source=_EXPR)


def empty(name: str, why: str, cause: str = "") -> Directive:
    """Sets a variable to nothing: httpd takes `NAME=` for 1."""
    return directive("SetEnvIf", "Request_Protocol", "^()", f"{name}=$1", why=why, cause=cause)
