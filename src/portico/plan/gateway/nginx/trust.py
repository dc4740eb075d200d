"""Who the client is: decided by nginx alone, from the connection and from declared proxies."""

from __future__ import annotations

from functools import lru_cache

from portico.plan.gateway.nginx.conf import Directive, block, directive, entries
from portico.plan.web.model import Web
from portico.proxy_headers import FAMILIES, OF_PROXY, kind, named
from portico.site.proxies import KNOWN_PROXIES, SHARED

BELIEVED_BY_LIBRARIES = (
    "Forwarded", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Url-Scheme", "X-Scheme",
    "X-HTTPS", "Front-End-Https", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-Host", "Script-Name",
    "Path-Info", "Remote-Addr", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Proxy",
    "Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
)  # fmt: skip
"""nginx blanks these also where Portico's own workers remove whole families: some library believes each of them."""
TRACE = "X-Portico-Trace"
WHO_SENT = "X-Portico-Proxy"
"""Tells Portico's workers whether a declared proxy sent the request; the value is that of `sender`."""


def is_fenced(web: Web) -> bool:
    """Whether nobody but Portico's own workers answers: they remove whole families of headers themselves."""
    return web.site.has_app and not web.site.servers and web.site.options.workers.server == "gunicorn"


def blanked(web: Web) -> tuple[str, ...]:
    """The headers of a client that never reach the app."""
    own = set(map(str.lower, web.site.options.client_headers))
    names = tuple(name for name in _unsaid(web) if name.lower() not in own)
    # Portico's own worker takes the header of a trace out itself; it means nothing to anybody else.
    return names if web.site.has_app and web.site.options.workers.server == "gunicorn" else (*names, TRACE)


def of_proxy(web: Web) -> list[tuple[str, str]]:
    """The headers that reach the app from a declared proxy only, and nginx's variables of their values."""
    if is_fenced(web) or not web.site.proxies:
        return []
    own = set(map(str.lower, web.site.options.client_headers))
    names = named(web.site.believed & set(OF_PROXY))
    return [(name, _said(name)) for name in names if name.lower() not in own]


def sender(web: Web) -> str:
    """The variable that is 1 when a declared proxy sent the request, 2 for one that many share, and else 0."""
    return "$portico_proxy" if _shared(web) else "$portico_behind"


def trust(web: Web) -> list[Directive]:
    """Client address and scheme, as variables that the log and the app are given."""
    nets = ranges(web)
    if not nets:
        return []
    return [
        *_real_ip(web, nets), *_behind(web, nets), _scheme_of_proxy(web), *_said_by_proxy(web),
        *_strangers(web),
    ]  # fmt: skip


def ranges(web: Web) -> list[str]:
    """The networks of the declared proxies."""
    return [net for entry in web.site.proxies for net in KNOWN_PROXIES.get(entry, (entry,))]


def scheme(web: Web) -> str:
    """The client's scheme: a map's where a proxy may say it, the connection's own, or the only one there is.

    Own directives may listen for TLS, too.
    """
    if web.site.proxies:
        return "$portico_scheme"
    is_plain = not web.site.has_https and not any("listen" in one.text for one in web.site.nginx_server)
    return "http" if is_plain else "$scheme"


def https(web: Web) -> str:
    """The variable that is `on` when the client came by https."""
    return "$portico_https" if web.site.proxies else "$https"


def refuse_strangers(web: Web) -> list[Directive]:
    """What a node does with who is no gateway of its own, at server level."""
    if not web.site.options.node.gateways:
        return []
    cause = web.site.cause("node.gateways")
    why = "this host answers its gateways only: anybody else's connection is closed without a word"
    return [
        block(
            "if", "($portico_stranger)", why=why, cause=cause,
            of=[directive("return", 444, why=why, cause=cause)],
        )
    ]  # fmt: skip


def _unsaid(web: Web) -> tuple[str, ...]:
    """Those whose value is nobody's to say."""
    if is_fenced(web):
        return tuple(name for name in BELIEVED_BY_LIBRARIES if kind(name) not in web.site.believed)
    said = web.site.believed & set(OF_PROXY)
    return named([one.kind for one in FAMILIES if one.kind not in said])


def _strangers(web: Web) -> list[Directive]:
    gateways = web.site.options.node.gateways
    if not gateways:
        return []
    # Portico itself asks whether the node is well, from this machine.
    own = dict.fromkeys(
        ("127.0.0.1", "::1", *([] if web.site.listen.is_wildcard else [web.site.listen.host]))
    )
    return [
        entries(
            "geo", "$realip_remote_addr", "$portico_stranger",
            table=[("default", "1"), *((net, "0") for net in (*own, *gateways))],
            why="1 when the connection comes neither from a gateway nor from this machine",
            cause=web.site.cause("node.gateways"),
        )
    ]  # fmt: skip


def _cause(web: Web) -> str:
    return web.site.cause("node.gateways" if web.site.options.node.gateways else "behind")


def _real_ip(web: Web, ranges: list[str]) -> list[Directive]:
    cause = _cause(web)
    return [
        *(
            directive(
                "set_real_ip_from", net,
                why="a proxy at this address may say who the client is; nobody else may", cause=cause,
            )
            for net in ranges
        ),
        *(_in_first_line(web) if web.site.has_proxy_protocol else _in_header(web)),
    ]  # fmt: skip


def _in_first_line(web: Web) -> list[Directive]:
    return [
        directive(
            "real_ip_header", "proxy_protocol", cause=web.site.cause("behind_protocol"),
            why="those proxies name the client before its first byte; what anybody else names there counts for nothing",
        )
    ]  # fmt: skip


def _in_header(web: Web) -> list[Directive]:
    cause = _cause(web)
    header = "CF-Connecting-IP" if web.site.proxies == ["cloudflare"] else "X-Forwarded-For"
    return [
        directive(
            "real_ip_header", header, why="where those proxies name the client", cause=cause
        ),
        directive(
            "real_ip_recursive", "on",
            why="skips every trusted proxy in the list, so that the address left is the last one "
            "that nobody we trust made up",
            cause=cause,
        ),
    ]  # fmt: skip


def _shared(web: Web) -> list[str]:
    """The ranges of known proxies that anybody can send requests through, as a customer of the same company."""
    return [net for entry in web.site.proxies if entry in SHARED for net in KNOWN_PROXIES[entry]]


def _behind(web: Web, ranges: list[str]) -> list[Directive]:
    cause, shared = _cause(web), set(_shared(web))
    made = [
        entries(
            "geo", "$realip_remote_addr", "$portico_behind",
            table=[("default", "0"), *((net, "1") for net in ranges)],
            why="1 when the connection comes from a trusted proxy", cause=cause,
        )
    ]  # fmt: skip
    if shared:
        made.append(
            entries(
                "geo", "$realip_remote_addr", "$portico_proxy",
                table=[("default", "0"), *((net, "2" if net in shared else "1") for net in ranges)],
                why="2 for a proxy that many share: it is believed in its own headers only", cause=cause,
            )
        )  # fmt: skip
    return made


def _scheme_of_proxy(web: Web) -> Directive:
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
        table=[*(rows if "scheme" in web.site.believed else []), ("default", "$scheme")],
        why="only a trusted proxy may say that the client used https", cause=_cause(web),
    )  # fmt: skip


def _said_by_proxy(web: Web) -> list[Directive]:
    return list(_said_maps(tuple(name for name, _ in of_proxy(web)), sender(web), _cause(web)))


@lru_cache(8)
def _said_maps(names: tuple[str, ...], sent_by: str, cause: str) -> tuple[Directive, ...]:
    return tuple(
        entries(
            "map", sent_by, _said(name),
            table=[
                ("default", ""),
                ("1", f"$http_{_word(name)}"),
                *([("2", f"$http_{_word(name)}")] if is_of_shared(name) else []),
            ],
            why=f"{name} counts from a trusted proxy only", cause=cause,
        )
        for name in names
    )  # fmt: skip


def is_of_shared(name: str) -> bool:
    """Whether a proxy that many share is believed in this header: one of its own."""
    return name.lower().startswith("cf-")


def _said(name: str) -> str:
    return f"$portico_said_{_word(name)}"


def _word(name: str) -> str:
    return name.lower().replace("-", "_")
