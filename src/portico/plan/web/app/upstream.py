"""The upstream: the local app at its socket, servers elsewhere, or both; and the load balancing."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import protocol
from portico.plan.paths import live_path, socket_aliases
from portico.plan.web.ability import Ability
from portico.site.model import Site
from portico.site.upstream_server import Server

_FAILS = {1: 0, 2: 5}
_FAILS_OF_MANY = 3
"""Failures within FAIL_SECONDS that take a server out for that long. A single slow URL must not take the only other
server out; with three or more, one less costs little. A judgement; active checks decide sooner.
"""
FAIL_SECONDS = 10
ROUND_ROBIN = "round_robin"


class Target(Struct, frozen=True):
    """One address of the upstream."""

    name: str
    """As the user wrote it; empty for a socket of an app that is the only server."""
    address: str
    """`host:port` or `unix:/path`."""
    weight: int = 1
    is_app: bool = False
    """The local app."""
    is_backup: bool = False
    """A backup: used only if no other server is left."""
    is_followed: bool = False
    """Its name is resolved again whenever the name server's answer expires."""


class Proof(Struct, frozen=True):
    """TLS verification of servers that use https: the name in their certificate, and a signature by one of `ca`."""

    name: str
    ca: str
    """A file of certificates; empty if this system has none."""
    name_cause: str
    ca_cause: str


class Upstream(Struct, frozen=True):
    """The servers, and the load balancing."""

    targets: tuple[Target, ...]
    is_shared: bool
    """These are the servers of [upstream]; otherwise the local app alone, at several sockets with shares."""
    protocol: str
    """The protocol to all of them: uwsgi, http, https or fastcgi."""
    has_app: bool
    """Whether Portico runs an app here."""
    fails: int
    """Failures within `FAIL_SECONDS` that take a server out for that long; 0: none do."""
    method: str
    """The method: round_robin, least_conn, least_time, ip_hash, hash or random_two."""
    hash_key: str
    sticky: str
    """The cookie that keeps a client on the server that answered it first; empty for none."""
    resolvers: tuple[str, ...]
    """The name servers for names that are resolved again; empty if there are none."""
    has_ipv6: bool
    """Whether IPv6 addresses can be used."""
    unfollowed: tuple[str, ...]
    """Names that are resolved once, when the gateway starts."""
    needs: tuple[tuple[Ability, str], ...]
    """Abilities that the gateway needs, each with its cause."""
    check_seconds: float
    """The interval of health checks; 0 disables them."""
    check_path: str
    proof: Proof
    cause: str
    method_cause: str
    sticky_cause: str
    resolver_cause: str
    word: str = "app"
    """What distinguishes it from other upstreams of the site."""

    @property
    def is_nobody(self) -> bool:
        """Whether there is neither an app nor a server: rules answer everything."""
        return not self.has_app and not self.is_shared


def upstream(site: Site, place: Place, abilities: frozenset[Ability], rules: str) -> Upstream:
    """The upstream; the app has the path for these access rules."""
    options, servers = site.options.upstream, site.servers
    app = live_path(place.runtime, rules)
    targets = tuple(_target(one, app, place, abilities) for one in servers) or _sockets(app)
    is_any_followed = any(one.is_followed for one in targets)
    return Upstream(
        targets=targets,
        is_shared=bool(servers),
        protocol=protocol(site),
        has_app=site.has_app,
        fails=_FAILS.get(len(servers), _FAILS_OF_MANY) if servers else 0,
        method=options.method if servers else ROUND_ROBIN,
        hash_key=options.hash_key,
        sticky=options.sticky if servers else "",
        resolvers=(tuple(options.resolver) or place.resolvers) if is_any_followed else (),
        has_ipv6=place.has_ipv6,
        unfollowed=tuple(
            one.host for one, target in zip(servers, targets, strict=False)
            if one.has_name and not target.is_followed
        ),
        needs=_needs(site) if servers else (),
        check_seconds=options.check,
        check_path=options.check_path or site.prefix + site.options.health,
        proof=_proof(site, place),
        cause=site.cause("upstream.servers"),
        method_cause=site.cause("upstream.method"),
        sticky_cause=site.cause("upstream.sticky"),
        resolver_cause=site.cause("upstream.resolver"),
    )  # fmt: skip


def impossible(site: Site, upstream: Upstream, place: Place) -> list[Problem]:
    """What these servers cannot do together, or on this machine."""
    return [*_mixed(site, upstream, place.gateway.program), *(_unproven(upstream) or _unknown(upstream))]


def _sockets(app: str) -> tuple[Target, ...]:
    return tuple(Target("", f"unix:{path}", tenths, is_app=True) for path, tenths in socket_aliases(app))


def _target(server: Server, app: str, place: Place, abilities: frozenset[Ability]) -> Target:
    is_known = server.host in place.known_hosts  # a name server may not know names of /etc/hosts
    return Target(
        name=server.name,
        address=f"unix:{app}" if server.is_app else server.address,
        weight=server.weight,
        is_app=server.is_app,
        is_backup=server.is_backup,
        is_followed=server.has_name and not is_known and Ability.FOLLOWS_NAMES in abilities,
    )


def _needs(site: Site) -> tuple[tuple[Ability, str], ...]:
    options = site.options.upstream
    by_time = [(Ability.LEAST_TIME, site.cause("upstream.method"))] if options.method == "least_time" else []
    by_cookie = [(Ability.STICKY, site.cause("upstream.sticky"))] if options.sticky else []
    return (*by_time, *by_cookie)


def _proof(site: Site, place: Place) -> Proof:
    options = site.options.upstream
    hosts = [one.host.strip("[]") for one in site.servers if one.protocol == "https" and one.host]
    return Proof(
        name=options.tls_name or next(iter(hosts), ""),
        ca=site.path(options.ca) or place.ca_file,
        name_cause=site.cause("upstream.tls_name"),
        ca_cause=site.cause("upstream.ca"),
    )


def _mixed(site: Site, upstream: Upstream, program: str) -> list[Problem]:
    others = {server.protocol for server in site.servers if not server.is_app} - {upstream.protocol}
    if not others:
        return []
    (other,) = others
    return [
        Problem(
            upstream.cause,
            f'"app" is reached by {upstream.protocol} and the other servers by {other}; {program} speaks one protocol '
            "to an upstream",
            "name servers of the same protocol, or leave out one or the other:\n"
            "a WSGI app here shares with uwsgi:// servers, an ASGI app with these or with http servers;\n"
            'or serve the app here as a site of its own (listen = "127.0.0.1:8001") and name that address',
        )
    ]


def _unproven(upstream: Upstream) -> list[Problem]:
    if upstream.protocol != "https" or upstream.proof.ca:
        return []
    what = "this system has no list of certificates to trust, so https servers cannot prove who they are"
    hint = "name the file of those that sign theirs: upstream.ca"
    return [Problem(upstream.proof.ca_cause, what, hint)]


def _unknown(upstream: Upstream) -> list[Problem]:
    followed = [one for one in upstream.targets if one.is_followed]
    if not followed or upstream.resolvers:
        return []
    host = followed[0].address.rpartition(":")[0]
    what = f"no name server can resolve {host}: /etc/resolv.conf names none"
    return [Problem(upstream.resolver_cause, what, "name one in upstream.resolver")]
