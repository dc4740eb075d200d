"""The balancers: the paths at which httpd finds the app."""

from __future__ import annotations

from portico.plan import decisions
from portico.plan.gateway.httpd.app.times import times
from portico.plan.gateway.httpd.conf import Directive, directive, section
from portico.plan.gateway.httpd.names import balancer
from portico.plan.web.app.upstream import Target
from portico.plan.web.model import Web

_REUSE = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypass"
_TENTH = 10


def balancers(web: Web) -> list[Directive]:
    """One for the site, and one for each other time of a route."""
    return [_balancer(web, suffix, seconds, cause) for suffix, (seconds, cause) in times(web).items()]


def _balancer(web: Web, suffix: str, seconds: float, cause: str) -> Directive:
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


def _member(web: Web, number: int, target: Target, seconds: float, suffix: str) -> Directive:
    why = (
        "the live socket: looked up at every connect (disablereuse), so a new release takes over by a rename; several "
        "names, so that a canary can be given some. A failure takes none of them out (retry)"
    )
    return member(web, target, f"app{number}{'-' if suffix else ''}{suffix}", seconds, why, decisions.RENAME)


def member(web: Web, target: Target, name: str, seconds: float, why: str, cause: str) -> Directive:
    """One server of a balancer."""
    protocol = "uwsgi" if web.upstream.protocol == "uwsgi" else "http"
    is_socket = target.address.startswith("unix:")
    words = [
        f"{target.address}|{protocol}://{name}" if is_socket else f"{protocol}://{target.address}",
        f"loadfactor={target.weight * _TENTH}",
        "disablereuse=on",
        "retry=0",
        f"connectiontimeout={_whole(web.link.connect_seconds)}",
        f"timeout={_whole(seconds)}",
    ]
    if protocol == "http":
        words += ["upgrade=websocket", f"responsefieldsize={64 << 10}"]
    return directive("BalancerMember", *words, why=why, source=_REUSE, cause=cause)


def _whole(seconds: float) -> str:
    return str(int(seconds)) if float(seconds).is_integer() else f"{round(seconds * 1000)}ms"
