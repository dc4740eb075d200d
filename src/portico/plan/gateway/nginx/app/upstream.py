"""The upstream as nginx knows it: a named one of the local app's socket, of servers elsewhere, or of both."""

from __future__ import annotations

from portico.errors import Problem
from portico.plan import decisions
from portico.plan.files import Line
from portico.plan.gateway.nginx.abilities import SINCE
from portico.plan.gateway.nginx.names import file_of, name_of
from portico.plan.gateway.nginx.syntax import Directive, block, directive, render
from portico.plan.subjects import Upstream, UpstreamServer
from portico.plan.web.ability import Ability
from portico.plan.web.app import upstream as web_upstream
from portico.plan.web.app.upstream import FAIL_SECONDS, Target
from portico.plan.web.model import Web

_MODULE = "https://nginx.org/en/docs/http/ngx_http_upstream_module.html"
_SERVER = f"{_MODULE}#server"


def upstream_name(web: Web) -> str:
    """The target of proxied requests."""
    return name_of(web, web.upstream.word)


def upstream(web: Web) -> Directive:
    """The upstream block."""
    if not web.upstream.is_shared:
        return block(
            "upstream",
            upstream_name(web),
            why="the app server",
            cause=decisions.RENAME,
            of=_sockets(web),
        )
    cause = web.upstream.cause
    return block(
        "upstream", upstream_name(web), why="the servers that requests are shared among", cause=cause,
        of=[
            directive(
                "zone", upstream_name(web), "256k",
                why="nginx's workers count requests and failures of a server together", cause=cause,
            ),
            # On a shared gateway the `http` resolver is not this site's, and one at server level has no effect here.
            *(resolver(web) if web.space else []),
            *_method(web),
            directive(
                "include", file_of(web, Upstream.FILE), cause=cause,
                why="the servers, in a file of their own: it is written anew when one is taken out or brought back",
            ),
            *_sticky(web),
        ],
    )  # fmt: skip


def resolver(web: Web) -> list[Directive]:
    """The name servers for addresses that are resolved at run time."""
    if not web.upstream.resolvers:
        return []
    return [
        directive(
            "resolver", *web.upstream.resolvers, *([] if web.upstream.has_ipv6 else ["ipv6=off"]),
            why="servers given by name are looked up again whenever the answer has expired",
            cause=web.upstream.resolver_cause,
        )
    ]  # fmt: skip


def planned(web: Web) -> Upstream | None:
    """The servers as values, for the file that lists them and for the checks."""
    if not web.upstream.is_shared:
        return None
    return Upstream(
        servers=tuple(_planned(target, web.upstream) for target in web.upstream.targets),
        check_seconds=web.upstream.check_seconds,
        path=web.upstream.check_path,
        tls_name=web.upstream.proof.name,
        ca=web.upstream.proof.ca,
        names=tuple(dict.fromkeys(web.upstream.unfollowed)),
    )


def beyond(web: Web) -> list[Problem]:
    """The abilities that this build is too old for."""
    return [
        Problem(
            cause,
            f"{_TOO_NEW[one][0]} is in nginx Plus and, since {'.'.join(map(str, SINCE[one]))}, in open-source nginx; "
            f"this is {web.place.gateway.number}",
            f"use {_TOO_NEW[one][1]}, or leave --nginx out: Portico then takes one that can, at least its own "
            "(embedded)",
        )
        for one, cause in web.upstream.needs
        if one not in web.abilities
    ]


_TOO_NEW = {
    Ability.LEAST_TIME: ("least_time", "least_conn"),
    Ability.STICKY: ("sticky", 'method = "ip_hash"'),
}
"""Its name, and what to use instead."""


def notes(web: Web) -> list[str]:
    """Notes about the servers' names."""
    names = dict.fromkeys(web.upstream.unfollowed)
    if not names:
        return []
    build, can = web.place.gateway.number, Ability.FOLLOWS_NAMES in web.abilities
    why = "/etc/hosts knows them" if can else f"nginx {build} cannot; 1.27.3 and newer can"
    if not web.upstream.check_seconds:
        return [f"looked up only when nginx starts or reloads: {', '.join(names)} ({why})"]
    return [f"Portico looks up {', '.join(names)}, and reloads nginx when an address changes ({why})"]


def _sockets(web: Web) -> list[Directive]:
    """The live socket of an app that is the only server, under each of its names."""
    why = (
        "the live socket: looked up at every connect, so a new release takes over by a rename; it has several "
        "names, so that a request whose worker died can be tried on another, and a canary can be given some"
    )
    return [
        Directive(
            "server", (target.address, f"weight={target.weight}", "max_fails=0"),
            why=why, source=_SERVER, cause=decisions.RENAME,
        )
        for target in web.upstream.targets
    ]  # fmt: skip


def _method(web: Web) -> list[Directive]:
    method = web.upstream.method
    words: dict[str, tuple[tuple[str, ...], str]] = {
        "least_conn": (("least_conn",), "the server with the fewest requests in hand gets the next"),
        "least_time": (("least_time", "header"), "the server that is fastest to answer gets the next"),
        "ip_hash": (("ip_hash",), "a client's address chooses its server, and keeps it"),
        "hash": (
            ("hash", web.upstream.hash_key, "consistent"),
            "what is asked chooses the server; one that leaves moves only its own share",
        ),
        "random_two": (
            ("random", "two", "least_conn"),
            "of two servers chosen at random the less busy one: several gateways do not all choose the same",
        ),
    }
    if method not in words:
        return []
    (name, *args), why = words[method]
    return [directive(name, *args, why=why, cause=web.upstream.method_cause)]


def _sticky(web: Web) -> list[Directive]:
    name = web.upstream.sticky
    if not name:
        return []
    why = (
        "brings a client back to the server that answered it first, by a cookie; when that is out, to another"
    )
    words = ("cookie", name, "path=/", "httponly", "samesite=lax")
    return [directive("sticky", *words, why=why, cause=web.upstream.sticky_cause)]


def _planned(target: Target, shared: web_upstream.Upstream) -> UpstreamServer:
    return UpstreamServer(
        name=target.name,
        protocol=shared.protocol,
        address=target.address,
        up=_line(target, shared, out=False),
        out=_line(target, shared, out=True),
    )


def _line(target: Target, shared: web_upstream.Upstream, *, out: bool) -> Line:
    fails = shared.fails
    words = [
        target.address,
        *([f"weight={target.weight}"] if target.weight > 1 else []),
        f"max_fails={fails}",
    ]
    words += [f"fail_timeout={FAIL_SECONDS}s"] if fails else []
    words += ["backup"] if target.is_backup else []
    words += ["resolve"] if target.is_followed else []
    why = "taken out: it gets no request" if out else _why(target, fails)
    made = directive(
        "server", *words, *(["down"] if out else []), why=why, source=_SERVER, cause=shared.cause
    )
    (line,) = render([made])
    return line


def _why(target: Target, fails: int) -> str:
    what = "the local app, at its live socket" if target.is_app else "a server that requests are sent to"
    if target.is_backup:
        what += ", when no other is left"
    if not fails:
        return f"{what}; the only one, and so never left alone"
    return f"{what}; after {fails} failures within {FAIL_SECONDS} s it is left alone for as long"
