"""The Host and the URL prefix that the app sees, and the ports of redirects, in nginx's variables."""

from __future__ import annotations

import re

from portico.place.model import Build
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.entry.host_header import Unnamed
from portico.plan.web.model import Web

_HAS_PORT_SINCE = (1, 29, 3)
"""nginx has the port that the client named ($request_port) since this version."""
_PORT = "(?::[0-9]{1,5})"
_NAME = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+"
_V6 = r"\[[0-9a-f:.]+\]"
_UNNAMED = (r"[^\]:]*", r"\[[^\]]*\]")
"""Hosts without a port."""
_LABEL = "[a-z0-9_-]+"
_ODD = "evil.example#.shop.example ends like a name of this site, and frameworks take it for evil.example"


def host_seen(web: Web) -> str:
    """The Host that the app sees, as an nginx expression.

    It is built from `$host`, the name that chose this server: a request line that names one host and a Host header
    that names another cannot disagree.
    """
    if web.host.from_proxy:
        return variable(web, "host")
    return _asked_for(web)


def prefix_seen(web: Web) -> str:
    """The prefix that the app sees: its mount, after that of a proxy that may set one."""
    return f"{variable(web, 'prefix')}{web.prefix}" if web.host.prefix_from_proxy else web.prefix


def path_seen(web: Web) -> str:
    """The decoded path, from which Portico's worker strips the prefix."""
    return (
        f"{variable(web, 'prefix')}$document_uri"
        if web.host.prefix_from_proxy and web.trust.is_fenced
        else "$document_uri"
    )


def host_maps(web: Web) -> list[Directive]:
    """At `http` level: the variables of those."""
    made = [*_asked_map(web), *_redirect_ports(web)]
    if web.host.refuses_odd:
        rows = [("default", "1"), (f"~*^{_NAME}$", "0")]
        made.append(
            entries("map", "$host", variable(web, "odd_host"), table=rows, why=_ODD, cause=web.hosts.cause)
        )
    if web.host.from_proxy:
        made.append(_host_of_proxy(web))
    if web.host.prefix_from_proxy:
        made.append(_prefix_of_proxy(web))
    return made


def refuse_odd_hosts(web: Web) -> list[Directive]:
    """At server level: refuses invalid host names, which a domain with `*` would accept."""
    if not web.host.refuses_odd:
        return []
    cause = web.hosts.cause
    refused = directive(
        "return", 444, why="closed without an answer, as any Host that is not declared", cause=cause
    )
    return [block("if", f"({variable(web, 'odd_host')})", why=_ODD, cause=cause, of=[refused])]


def https_port(web: Web) -> str:
    """The port in a redirect from plain HTTP to HTTPS, or nothing."""
    return variable(web, "https_port") if web.host.https_port else ""


def same_port(web: Web) -> str:
    """The port in a redirect to another name, or nothing."""
    return "$is_request_port$request_port" if _has_port(web.place.gateway) else variable(web, "same_port")


def _has_port(build: Build) -> bool:
    return build.since(*_HAS_PORT_SINCE)


def _asked_for(web: Web) -> str:
    if web.hosts.declared and _has_port(web.place.gateway):
        return "$host$is_request_port$request_port"
    return variable(web, "asked")


def _asked_map(web: Web) -> list[Directive]:
    why = (
        "the host the client asked for, with the port that it named; without one, the port of the connection"
    )
    if not _has_port(web.place.gateway):
        return [_old_map(web)]
    if web.hosts.declared:
        return []
    return [
        entries(
            "map", "$http_host", variable(web, "asked"), why=why,
            table=[("", ""), ("default", "$host$is_request_port$request_port")],
        )
    ]  # fmt: skip


def _old_map(web: Web) -> Directive:
    """The same for a build without $request_port, and without captures in the map.

    The Host header is used unchanged if it decided the server: in a request whose line names no host, or the same
    one.
    """
    exact = [name for name in web.hosts.declared if not name.startswith("*.")]
    rows = [
        ("default", "$host"),
        (rf"~*^[^|]*\|{_NAME}{_PORT}\|[^ |]+ /", "$http_host"),
        (rf"~*^[^|]*\|{_V6}{_PORT}\|[^ |]+ /", "$http_host"),
        *((rf"~*^{re.escape(name)}\|{re.escape(name)}{_PORT}\|", "$http_host") for name in exact),
        *([] if web.hosts.declared else [(r"~^[^|]*\|\|[^ |]+ /", "")]),
    ]
    return entries(
        "map", "$host|$http_host|$request", variable(web, "asked"), table=rows, cause=web.hosts.cause,
        why="the host that chose this server, with the port that the client named",
    )  # fmt: skip


def _host_of_proxy(web: Web) -> Directive:
    names = [_domain(name) for name in web.hosts.declared] or [_NAME, _V6]
    rows = [
        ("default", _asked_for(web)),
        *((f"~*^1:{name}{_PORT}?$", "$http_x_forwarded_host") for name in names),
    ]
    return entries(
        "map", f"{variable(web, 'behind')}:$http_x_forwarded_host", variable(web, "host"), table=rows,
        cause=web.host.cause,
        why="a declared proxy may say what host the client asked for, if it looks like one; with domains, one of them",
    )  # fmt: skip


def _domain(name: str) -> str:
    wild, escaped = name.startswith("*."), re.escape(name.removeprefix("*."))
    return rf"(?:{_LABEL}\.)+{escaped}" if wild else escaped


def _prefix_of_proxy(web: Web) -> Directive:
    """One slash at the start and none at the end, no empty and no dot segment, no control character."""
    segment = r"/(?!\.\.?(?:/|$))[A-Za-z0-9._~@:+-]+"
    return entries(
        "map", f"{variable(web, 'behind')}:$http_x_forwarded_prefix", variable(web, "prefix"),
        table=[("default", ""), (f"~^1:(?:{segment})+$", "$http_x_forwarded_prefix")],
        cause=web.host.cause,
        why="the prefix that a declared proxy took off the path, if it looks like one",
    )  # fmt: skip


def _redirect_ports(web: Web) -> list[Directive]:
    made = []
    if web.listeners.tls and web.host.https_port:
        made.append(_https_port_map(web))
    if web.hosts.canonical and not _has_port(web.place.gateway):
        own = f":{web.host.port}" if web.host.port else ""
        made.append(
            entries(
                "map", "$http_host", variable(web, "same_port"),
                table=[("default", own), *((f"~^{host}$", "") for host in _UNNAMED)],
                cause=web.hosts.canonical_cause, why="a client that names no port is sent to the usual one",
            )
        )  # fmt: skip
    return made


def _https_port_map(web: Web) -> Directive:
    own, before = f":{web.host.https_port}", "1:" if web.host.unnamed is Unnamed.PROXIED else ""
    unnamed = [] if web.host.unnamed is Unnamed.NONE else [(f"~^{before}{host}$", "") for host in _UNNAMED]
    return entries(
        "map", f"{variable(web, 'behind')}:$http_host" if before else "$http_host", variable(web, "https_port"),
        table=[("default", own), *unnamed], cause=web.listeners.tls_cause,
        why="a client that came by a proxy or a port mapping at 80 is sent to 443 there, any other to our own port",
    )  # fmt: skip
