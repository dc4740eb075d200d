"""The balancers: the paths at which httpd finds the app."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from portico.errors import Problem
from portico.plan import decisions
from portico.plan.files import Line
from portico.plan.gateway.httpd.app.room import room
from portico.plan.gateway.httpd.app.times import times
from portico.plan.gateway.httpd.modules import lacking
from portico.plan.gateway.httpd.names import balancer, file_of
from portico.plan.gateway.httpd.syntax import Directive, directive, render, section
from portico.plan.subjects import Upstream as Planned
from portico.plan.subjects import UpstreamServer
from portico.plan.web.app.upstream import FAIL_SECONDS, ROUND_ROBIN, Target
from portico.plan.web.model import Web

_REUSE = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypass"
_TENTH = 10
_SCHEMES = {"uwsgi": "uwsgi", "fastcgi": "fcgi"}
"""httpd's names of the protocols that are not HTTP."""
_MOST_WEIGHT = 100
_BUSY = "bybusyness"
METHODS = {ROUND_ROBIN: "byrequests", "least_conn": _BUSY}
"""Methods of [upstream] that httpd has, and its names for them."""


def balancers(web: Web) -> list[Directive]:
    """One for the site, and one for each other time of a route."""
    return [_balancer(web, suffix, seconds, cause) for suffix, (seconds, cause) in times(web).items()]


def _balancer(web: Web, suffix: str, seconds: float, cause: str) -> Directive:
    if web.upstream.is_shared:
        return _shared(web)
    members = [
        _member(web, number, target, seconds, suffix) for number, target in enumerate(web.upstream.targets)
    ]
    return section(
        "Proxy", balancer(suffix), why="the app server", cause=decisions.RENAME,
        of=[
            *members,
            directive(
                "ProxySet", "lbmethod=byrequests", f"maxattempts={web.link.retry.tries - 1}", source=_REUSE,
                why="a request that no worker accepted is tried once more, at another path", cause=cause,
            ),
        ],
    )  # fmt: skip


def planned(web: Web) -> Planned | None:
    """The servers as values, for the file that lists them and for the checks."""
    shared = web.upstream
    if not shared.is_shared:
        return None
    return Planned(
        servers=tuple(_planned(web, target) for target in shared.targets),
        check_seconds=shared.check_seconds,
        path=shared.check_path,
        tls_name=shared.proof.name,
        ca=shared.proof.ca,
    )


def sticky(web: Web) -> list[Directive]:
    """In a virtual host: the cookie that brings a client back to its server."""
    name, cause = web.upstream.sticky, web.upstream.sticky_cause
    if not name:
        return []
    why = "brings a client back to the server that answered it first; when that is out, to another"
    cookie = f"{name}=.%{{BALANCER_WORKER_ROUTE}}e; path=/; HttpOnly; SameSite=Lax"
    return [
        directive("Header", "add", "Set-Cookie", cookie, "env=BALANCER_ROUTE_CHANGED", why=why, cause=cause)
    ]


def method_modules(web: Web) -> list[str]:
    """The module of the method, beside the one that is always there."""
    return [f"lbmethod_{METHODS[web.upstream.method]}"] if METHODS.get(web.upstream.method) == _BUSY else []


def impossible(web: Web) -> Iterator[Problem]:
    """What httpd cannot do for [upstream]."""
    shared = web.upstream
    if not shared.is_shared:
        return
    if shared.method not in METHODS:
        what = f'method = "{shared.method}": httpd has {", ".join(METHODS)}'
        yield Problem(shared.method_cause, what, 'choose one of them, or use nginx (gateway = "nginx")')
    if shared.protocol != "http":
        what = f"with Apache httpd, servers of [upstream] speak http, not {shared.protocol}"
        if shared.protocol == "https":
            what += ": httpd compares certificates with Host, so no server would be told the client's"
        yield Problem(shared.cause, what, 'name http servers, or use nginx (gateway = "nginx")')
    yield from lacking(web.place.gateway, method_modules(web), "upstream.method", shared.method_cause)
    if any(target.weight > _MOST_WEIGHT for target in shared.targets):
        what = f"the largest weight of httpd is {_MOST_WEIGHT}"
        yield Problem(shared.cause, what, "divide all weights by the same number")
    if len(times(web)) > 1:
        what = "routes with a time of their own: with Apache httpd, servers of [upstream] have one for all requests"
        yield Problem(
            shared.cause, what, 'use nginx (gateway = "nginx"), or leave out timeout and stream of routes'
        )


def notes(web: Web) -> list[str]:
    """How its failures differ from nginx's."""
    if not web.upstream.is_shared:
        return []
    fails = (
        "a server that cannot be connected to gets no request for 10 s, and the request goes to another; one that "
        "breaks off is not asked again: 502"
    )
    reads = "httpd reads its files again when a server is taken out or brought back, and closes idle connections then"
    return [fails, reads]


def _shared(web: Web) -> Directive:
    shared = web.upstream
    words = [f"lbmethod={METHODS.get(shared.method, '')}", f"maxattempts={web.link.retry.tries - 1}"]
    words += [f"stickysession={shared.sticky}"] if shared.sticky else []
    return section(
        "Proxy", balancer(), why="the servers that requests are shared among", cause=shared.cause,
        of=[
            directive("Include", file_of(web, Planned.FILE), cause=shared.cause, why="the servers, in a file of their "
                      "own: it is written anew when one is taken out or brought back"),
            directive("ProxySet", *words, source=_REUSE, cause=shared.method_cause,
                      why="who gets the next request; one that no server has accepted is tried once more"),
        ],
    )  # fmt: skip


def _planned(web: Web, target: Target) -> UpstreamServer:
    return UpstreamServer(
        name=target.name,
        protocol=web.upstream.protocol,
        address=target.address,
        up=_line(web, target, "H" if target.is_backup else ""),
        out=_line(web, target, "D"),
    )


def _line(web: Web, target: Target, status: str) -> Line:
    shared, is_out = web.upstream, status == "D"
    what = "the local app, at its live socket" if target.is_app else "a server that requests are sent to"
    why = "taken out: it gets no request" if is_out else what
    why += ", when no other is left" if status == "H" else ""
    route = hashlib.sha256(target.name.encode()).hexdigest()[:16]
    more = [f"route={route}", *([f"status=+{status}"] if status else [])]
    retry = FAIL_SECONDS if shared.fails else 0
    made = member(web, target, route, web.link.silence_seconds, why, shared.cause, retry, more)
    (line,) = render([made])
    return line


def _member(web: Web, number: int, target: Target, seconds: float, suffix: str) -> Directive:
    why = (
        "the live socket: looked up at every connect (disablereuse), so a new release takes over by a rename; several "
        "names, so that a canary can be given some. A failure takes none of them out (retry)"
    )
    whole = sum(map(_factor, web.upstream.targets))
    name = f"app{number}{'-' if suffix else ''}{suffix}"
    bound = room(web, _factor(target), whole, parts=2 * (len(times(web)) - 1) if suffix else 1)
    return member(web, target, name, seconds, why, decisions.RENAME, bound=bound)


def _factor(target: Target) -> int:
    return target.weight * (1 if target.name else _TENTH)


def member(
    web: Web,
    target: Target,
    name: str,
    seconds: float,
    why: str,
    cause: str,
    retry: int = 0,
    more: Sequence[str] = (),
    bound: Sequence[str] = (),
) -> Directive:
    """One server of a balancer; `bound` are the words of `room`.

    `retry` is how long one that could not be connected to is left alone, in seconds.
    """
    protocol = _SCHEMES.get(web.upstream.protocol, web.upstream.protocol)
    is_socket = target.address.startswith("unix:")
    words = [
        f"{target.address}|{protocol}://{name}" if is_socket else f"{protocol}://{target.address}",
        f"loadfactor={_factor(target)}",
        "disablereuse=on",
        f"retry={retry}",
        f"connectiontimeout={_whole(web.link.connect_seconds)}",
        f"timeout={_whole(seconds)}",
        *bound,
    ]
    if protocol in ("http", "https"):
        words += [*more, "upgrade=websocket", f"responsefieldsize={64 << 10}"]
    if protocol == "fcgi":
        words += ["flushpackets=auto"]
    return directive("BalancerMember", *words, why=why, source=_REUSE, cause=cause)


def _whole(seconds: float) -> str:
    return str(int(seconds)) if float(seconds).is_integer() else f"{round(seconds * 1000)}ms"
