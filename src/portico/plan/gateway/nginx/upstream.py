"""Who answers, as nginx knows it: a named upstream of the local app's socket, of servers elsewhere, or of both."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import decisions
from portico.plan.gateway.nginx.conf import Directive, block, directive, render
from portico.plan.model import Line, Upstream, UpstreamServer
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.site.server import Server

UPSTREAM = "portico_app"
_MODULE = "https://nginx.org/en/docs/http/ngx_http_upstream_module.html"
_SERVER = f"{_MODULE}#server"
_FAILS = {1: 0, 2: 5}
_FAILS_OF_MANY = 3
"""Failures within _FAIL_SECONDS after which a server is left alone that long. A single slow URL must not take the
only other server away; with three or more, one less costs little. A judgement; active checks decide sooner."""
_FAIL_SECONDS = 10


def upstream(web: Web) -> Directive:
    """The upstream block."""
    if not web.site.servers:
        return block(
            "upstream",
            UPSTREAM,
            why="the app server",
            cause=decisions.RENAME,
            of=_aliases(Paths.of(web.place)),
        )
    cause = web.site.cause("upstream.servers")
    return block(
        "upstream", UPSTREAM, why="the servers that requests are shared among", cause=cause,
        of=[
            directive(
                "zone", UPSTREAM, "256k",
                why="nginx's workers count requests and failures of a server together", cause=cause,
            ),
            *_method(web),
            directive(
                "include", Upstream.FILE, why="the servers, in a file of their own: it is written anew when one is "
                "taken out or brought back", cause=cause,
            ),
            *_sticky(web),
        ],
    )  # fmt: skip


def resolver(web: Web) -> list[Directive]:
    """Who is asked where the servers are, while nginx runs."""
    if not any(_is_followed(server, web.place) for server in web.site.servers):
        return []
    ask = web.site.options.upstream.resolver or web.place.resolvers
    return [
        directive(
            "resolver", *ask, *([] if web.place.has_ipv6 else ["ipv6=off"]),
            why="servers given by name are looked up again whenever the answer has expired",
            cause=web.site.cause("upstream.resolver"),
        )
    ]  # fmt: skip


def planned(web: Web) -> Upstream | None:
    """The servers as values, for the file that lists them and for who asks them."""
    if not web.site.servers:
        return None
    options = web.site.options.upstream
    return Upstream(
        servers=tuple(_planned(server, web) for server in web.site.servers),
        check_seconds=options.check,
        path=options.check_path or web.site.prefix + web.site.options.health,
        tls_name=tls_name(web),
        ca=ca_file(web),
    )


def impossible(web: Web) -> list[Problem]:
    """What this site or this build of nginx cannot do."""
    if not web.site.servers:
        return []
    return [*_mixed(web), *beyond(web), *_untrusted(web)]


def notes(web: Web) -> list[str]:
    """What people should know about these servers."""
    options = web.site.options.upstream
    if not web.site.servers and (options.method != "round_robin" or options.sticky):
        return ["upstream.method and upstream.sticky choose among upstream.servers, and there are none"]
    names = [
        server.host for server in web.site.servers if server.has_name and not _is_followed(server, web.place)
    ]
    if not names:
        return []
    return [
        f"looked up only when nginx starts or reloads: {', '.join(names)} ({_why_not_followed(web.place)})"
    ]


def tls_name(web: Web) -> str:
    """The name that https servers must prove."""
    hosts = [server.host for server in web.site.servers if server.protocol == "https" and server.host]
    return web.site.options.upstream.tls_name or (hosts[0].strip("[]") if hosts else "")


def ca_file(web: Web) -> str:
    """Who may sign for them."""
    ca = web.site.options.upstream.ca
    return f"{web.site.directory}/{ca}" if ca and not ca.startswith("/") else ca or web.place.ca_file


def _aliases(paths: Paths) -> list[Directive]:
    """The live socket of the app that answers alone, under every name it has."""
    why = (
        "the live socket: looked up at every connect, so a new release takes over by a rename; it has several "
        "names, so that a request whose worker died can be tried on another, and a canary can be given some"
    )
    return [
        Directive(
            "server",
            (f"unix:{path}", f"weight={tenths}", "max_fails=0"),
            why=why,
            source=_SERVER,
            cause=decisions.RENAME,
        )
        for path, tenths in paths.socket_aliases
    ]


def _method(web: Web) -> list[Directive]:
    method = web.site.options.upstream.method
    words: dict[str, tuple[tuple[str, ...], str]] = {
        "least_conn": (("least_conn",), "the server with the fewest requests in hand gets the next"),
        "least_time": (("least_time", "header"), "the server that is fastest to answer gets the next"),
        "ip_hash": (("ip_hash",), "a client's address chooses its server, and keeps it"),
        "hash": (
            ("hash", web.site.options.upstream.hash_key, "consistent"),
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
    return [directive(name, *args, why=why, cause=web.site.cause("upstream.method"))]


def _sticky(web: Web) -> list[Directive]:
    name = web.site.options.upstream.sticky
    if not name:
        return []
    why = (
        "brings a client back to the server that answered it first, by a cookie; when that is out, to another"
    )
    words = ("cookie", name, "path=/", "httponly", "samesite=lax")
    return [directive("sticky", *words, why=why, cause=web.site.cause("upstream.sticky"))]


def _planned(server: Server, web: Web) -> UpstreamServer:
    address = f"unix:{Paths.of(web.place).socket}" if server.is_app else server.address
    return UpstreamServer(
        name=server.name,
        protocol=web.site.protocol,
        address=address,
        up=_line(server, address, web, out=False),
        out=_line(server, address, web, out=True),
    )


def _line(server: Server, address: str, web: Web, *, out: bool) -> Line:
    number = len(web.site.servers)
    fails = _FAILS.get(number, _FAILS_OF_MANY)
    words = [address, *([f"weight={server.weight}"] if server.weight > 1 else []), f"max_fails={fails}"]
    words += [f"fail_timeout={_FAIL_SECONDS}s"] if fails else []
    words += ["backup"] if server.is_backup else []
    words += ["resolve"] if _is_followed(server, web.place) else []
    why = "taken out: it gets no request" if out else _why(server, fails)
    made = directive(
        "server", *words, *(["down"] if out else []),
        why=why, source=_SERVER, cause=web.site.cause("upstream.servers"),
    )  # fmt: skip
    (line,) = render([made])
    return line


def _why(server: Server, fails: int) -> str:
    what = "the local app, at its live socket" if server.is_app else "a server that requests are sent to"
    if server.is_backup:
        what += ", when no other is left"
    if not fails:
        return f"{what}; the only one, and so never left alone"
    return f"{what}; after {fails} failures within {_FAIL_SECONDS} s it is left alone for as long"


def _is_followed(server: Server, place: Place) -> bool:
    """Whether nginx looks the name up again while it runs."""
    return server.has_name and not _why_not_followed(place, server.host)


def _why_not_followed(place: Place, host: str = "") -> str:
    if not place.nginx.since(1, 27, 3):
        return f"nginx {place.nginx.number} cannot; 1.27.3 and newer can"
    return "/etc/hosts knows them" if not host or host in place.known_hosts else ""


def _mixed(web: Web) -> list[Problem]:
    others = {server.protocol for server in web.site.servers if not server.is_app} - {web.site.protocol}
    if not others:
        return []
    where, (other,) = web.site.cause("upstream.servers"), others
    return [
        Problem(
            where,
            f'"app" is reached by {web.site.protocol} and the other servers by {other}; nginx speaks one protocol to '
            "an upstream",
            "name servers of the same protocol, or leave out one or the other:\n"
            "a WSGI app here shares with uwsgi:// servers, an ASGI app with http servers;\n"
            'or serve the app here as a site of its own (listen = "127.0.0.1:8001") and name that address',
        )
    ]


def beyond(web: Web) -> list[Problem]:
    """What this build is too old for."""
    options, nginx = web.site.options.upstream, web.place.nginx
    wanted = [
        ("upstream.method", options.method == "least_time", "least_time", (1, 31, 0), "least_conn"),
        ("upstream.sticky", bool(options.sticky), "sticky", (1, 29, 6), 'method = "ip_hash"'),
    ]
    return [
        Problem(
            web.site.cause(key),
            f"{what} is in nginx Plus and, since {'.'.join(map(str, since))}, in open-source nginx; "
            f"this is {nginx.number}",
            f"use {instead}, or leave --nginx out: Portico then takes one that can, at least its own (embedded)",
        )
        for key, is_wanted, what, since, instead in wanted
        if is_wanted and not nginx.since(*since)
    ]


def _untrusted(web: Web) -> list[Problem]:
    if web.site.protocol == "https" and not ca_file(web):
        what = "this system has no list of certificates to trust, so https servers cannot prove who they are"
        return [
            Problem(
                web.site.cause("upstream.ca"), what, "name the file of those that sign theirs: upstream.ca"
            )
        ]
    names = [server for server in web.site.servers if _is_followed(server, web.place)]
    if names and not (web.site.options.upstream.resolver or web.place.resolvers):
        what = f"nobody can be asked where {names[0].host} is: /etc/resolv.conf names no server"
        return [Problem(web.site.cause("upstream.resolver"), what, "name one in upstream.resolver")]
    return []
