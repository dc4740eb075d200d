"""The Host and the URL prefix that the app sees, and the ports of redirects: what the client asked for, validated.

A client may reach Portico at another port than it listens on (a load balancer, a container's port mapping), so that
nothing here is made of Portico's own port, as long as the client names one.
"""

from __future__ import annotations

import re

from portico.place.model import Place
from portico.plan.gateway.nginx.conf import Directive, block, directive, entries
from portico.plan.web.model import Web

_HAS_PORT_SINCE = (1, 29, 3)
"""nginx knows the port that the client named ($request_port) from here on."""
_PORT = "(?::[0-9]{1,5})"
_NAME = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+"
_V6 = r"\[[0-9a-f:.]+\]"
_UNNAMED = (r"[^\]:]*", r"\[[^\]]*\]")
"""Hosts without a port."""
_LABEL = "[a-z0-9_-]+"
_ODD = "evil.example#.shop.example ends like a name of this site, and frameworks take it for evil.example"


def host_seen(web: Web) -> str:
    """The Host the app sees, as an nginx expression.

    It is built from `$host`, the name that chose this server: a request line naming one host and a Host header naming
    another cannot split the two.
    """
    if "host" in web.site.believed:
        return "$portico_host"
    return _asked_for(web)


def prefix_seen(web: Web) -> str:
    """The prefix that the app sees: its mount, behind that of a proxy which may say one."""
    return f"$portico_prefix{web.site.prefix}" if "prefix" in web.site.believed else web.site.prefix


def path_seen(web: Web) -> str:
    """The decoded path, from which Portico's worker takes the prefix off."""
    return (
        "$portico_prefix$document_uri"
        if "prefix" in web.site.believed and web.trust.is_fenced
        else "$document_uri"
    )


def host_maps(web: Web) -> list[Directive]:
    """The variables of those, at `http` level."""
    made = [*_asked_map(web), *_redirect_ports(web)]
    if _has_wildcard(web):
        rows = [("default", "1"), (f"~*^{_NAME}$", "0")]
        made.append(
            entries(
                "map", "$host", "$portico_odd_host", table=rows, why=_ODD, cause=web.site.cause("domains")
            )
        )
    if "host" in web.site.believed:
        made.append(_host_of_proxy(web))
    if "prefix" in web.site.believed:
        made.append(_prefix_of_proxy(web))
    return made


def refuse_odd_hosts(web: Web) -> list[Directive]:
    """At server level: what is no host name, where a domain with `*` would take it."""
    if not _has_wildcard(web):
        return []
    cause = web.site.cause("domains")
    refused = directive("return", 444, why="closed without a word, as any Host not declared", cause=cause)
    return [block("if", "($portico_odd_host)", why=_ODD, cause=cause, of=[refused])]


def _has_wildcard(web: Web) -> bool:
    return any(name.startswith("*.") for name in web.site.options.domains)


def https_port(web: Web) -> str:
    """What follows the host in a redirect from plain HTTP to HTTPS."""
    return "" if web.site.https_listen.port == 443 else "$portico_https_port"


def same_port(place: Place) -> str:
    """What follows the host in a redirect to another name at the same port."""
    return "$is_request_port$request_port" if _has_port(place) else "$portico_same_port"


def _has_port(place: Place) -> bool:
    return place.nginx.since(*_HAS_PORT_SINCE)


def _asked_for(web: Web) -> str:
    if web.site.options.domains and _has_port(web.place):
        return "$host$is_request_port$request_port"
    return "$portico_asked"


def _asked_map(web: Web) -> list[Directive]:
    why = "the host the client asked for, with the port that it named; one that named none is told by the port it met"
    if not _has_port(web.place):
        return [_old_map(web)]
    if web.site.options.domains:
        return []
    return [
        entries(
            "map", "$http_host", "$portico_asked", table=[("", ""), ("default", "$host$is_request_port$request_port")],
            why=why,
        )
    ]  # fmt: skip


def _old_map(web: Web) -> Directive:
    """The same for a build without $request_port, and without captures in the map.

    The Host header is taken as it came when it says what chose the server: in a request whose line names no host, or
    when both name the same one.
    """
    exact = [name for name in web.site.options.domains if not name.startswith("*.")]
    rows = [
        ("default", "$host"),
        (rf"~*^[^|]*\|{_NAME}{_PORT}\|[^ |]+ /", "$http_host"),
        (rf"~*^[^|]*\|{_V6}{_PORT}\|[^ |]+ /", "$http_host"),
        *((rf"~*^{re.escape(name)}\|{re.escape(name)}{_PORT}\|", "$http_host") for name in exact),
        *([] if web.site.options.domains else [(r"~^[^|]*\|\|[^ |]+ /", "")]),
    ]
    return entries(
        "map", "$host|$http_host|$request", "$portico_asked", table=rows, cause=web.site.cause("domains"),
        why="the host that chose this server, with the port that the client named",
    )  # fmt: skip


def _host_of_proxy(web: Web) -> Directive:
    names = [_domain(name) for name in web.site.options.domains] or [_NAME, _V6]
    rows = [
        ("default", _asked_for(web)),
        *((f"~*^1:{name}{_PORT}?$", "$http_x_forwarded_host") for name in names),
    ]
    return entries(
        "map", "$portico_behind:$http_x_forwarded_host", "$portico_host", table=rows,
        cause=web.site.cause("behind_headers"),
        why="a declared proxy may say what host the client asked for, if it looks like one; with domains, one of them",
    )  # fmt: skip


def _domain(name: str) -> str:
    wild, escaped = name.startswith("*."), re.escape(name.removeprefix("*."))
    return rf"(?:{_LABEL}\.)+{escaped}" if wild else escaped


def _prefix_of_proxy(web: Web) -> Directive:
    """One slash at the beginning and none at the end, no empty and no dotted segment, no control character."""
    segment = r"/(?!\.\.?(?:/|$))[A-Za-z0-9._~@:+-]+"
    return entries(
        "map", "$portico_behind:$http_x_forwarded_prefix", "$portico_prefix",
        table=[("default", ""), (f"~^1:(?:{segment})+$", "$http_x_forwarded_prefix")],
        cause=web.site.cause("behind_headers"),
        why="the prefix that a declared proxy took off the path, if it looks like one",
    )  # fmt: skip


def _redirect_ports(web: Web) -> list[Directive]:
    made = []
    if web.site.has_https and https_port(web):
        made.append(_https_port_map(web))
    if web.site.options.canonical and not _has_port(web.place):
        usual, own = (443 if web.site.has_https else 80), web.site.public.port
        made.append(
            entries(
                "map", "$http_host", "$portico_same_port",
                table=[("default", "" if own == usual else f":{own}"), *((f"~^{host}$", "") for host in _UNNAMED)],
                cause=web.site.cause("canonical"), why="a client that names no port is sent to the usual one",
            )
        )  # fmt: skip
    return made


def _https_port_map(web: Web) -> Directive:
    """Who names no port in plain HTTP came in at 80: then Portico's own ports say nothing unless 80 is among them."""
    before = "" if web.site.listen.port != 80 else "1:" if web.trust.proxies else None
    rows = [] if before is None else [(f"~^{before}{host}$", "") for host in _UNNAMED]
    return entries(
        "map", "$portico_behind:$http_host" if before else "$http_host", "$portico_https_port",
        table=[("default", f":{web.site.https_listen.port}"), *rows], cause=web.site.cause("https.listen"),
        why="a client that came by a proxy or a port mapping at 80 is sent to 443 there, any other to our own port",
    )  # fmt: skip
