"""The rules of a site, and the mounts that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.place.model import Place
from portico.plan.paths import routed_socket
from portico.plan.web.ability import Ability
from portico.plan.web.app import upstream as web_upstream
from portico.plan.web.app.link import link
from portico.plan.web.app.upstream import upstream
from portico.plan.web.entry.trust import trust
from portico.plan.web.guards import Chains, Guard, Known, NoScanner, NotElsewhere, Open, Passed, PlainPath
from portico.plan.web.mount import Below, Elsewhere, Exact, Files, Matching, Mount, OneFile, Redirect
from portico.plan.web.mounts import meeting
from portico.plan.web.routing.model import Passage, Route, Routing
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options.upstream import Upstream as UpstreamOptions
from portico.site.routing import RouteRule, ToFolder, ToServer, ToSite, is_below
from portico.site.upstream_server import Server

LONGEST_SILENCE_SECONDS = 7200.0
"""The gateway's patience with another site, which has time limits of its own: those end a request earlier."""
_OF_THE_APP = (NoScanner, Known, Passed)
"""Guards that know the site's own app."""
_OF_THE_SITE = (Open,)
"""Another site has a maintenance of its own."""


def routing(site: Site, place: Place, abilities: frozenset[Ability]) -> Routing:
    """The rules with the way to each target."""
    return Routing(
        tuple(
            route_of(site, place, abilities, one)
            for one in site.rules
            if not isinstance(one.target, ToFolder)
        ),
        is_alone=not place.host_runtime,
    )


def impossible(
    site: Site, place: Place, routing: Routing, abilities: frozenset[Ability], remedies: Mapping[Ability, str]
) -> Iterator[Problem]:
    """What the gateway, or the servers of the rules on this machine, cannot do."""
    if Ability.ROUTES not in abilities and (routing.routes or site.is_routed):
        cause = routing.routes[0].rule.cause if routing.routes else site.cause("routed_by")
        what = f"Portico writes no [[route]] and no routed_by for {place.gateway.program}"
        yield Problem(
            cause, what, remedies.get(Ability.ROUTES, 'use nginx (gateway = "nginx"), or leave it out')
        )
        return
    for one in routing.routes:
        yield from way_impossible(site, place, one)


def way_impossible(site: Site, place: Place, one: Route) -> Iterator[Problem]:
    """What the server of a rule cannot be on this machine."""
    if one.passage:
        yield from web_upstream.impossible(_as_remote(site, place, one.rule), one.passage.upstream, place)


def notes(site: Site, routing: Routing) -> Iterator[str]:
    """Rules and sites that find nobody, because the site runs alone."""
    if not routing.is_alone:
        return
    names = sorted({one.rule.target.name for one in routing.routes if isinstance(one.rule.target, ToSite)})
    if names:
        yield (
            f"[[route]] leads to {', '.join(names)}: run them together on one gateway, "
            "portico run shop.toml api.toml; alone, this site answers 502 there"
        )
    if site.is_routed:
        yield "routed_by: other sites of the same gateway lead here; alone, nobody reaches this site"


def routed_mounts(mounts: Iterable[Mount], routing: Routing, chains: Chains) -> tuple[Mount, ...]:
    """The mounts of the site with those of the rules, which come before everything else at their paths."""
    made = [mount for one in routing.plain for mount in _mounts(one, routing, chains)]
    return (*made, *(mount for mount in mounts if not _is_covered(mount, routing)))


def route_guards(one: Route, chains: Chains) -> tuple[Guard, ...]:
    """The guards of a rule's way. A site counts its requests itself; who may come to this name is decided here in any
    case. A target that gets the path as it came may read another one than the gateway: such a path is refused.
    """
    is_server, is_site = isinstance(one.rule.target, ToServer), isinstance(one.rule.target, ToSite)
    not_here = (NotElsewhere, *(_OF_THE_APP if is_server else _OF_THE_SITE if is_site else ()))
    kept = tuple(
        guard for guard in (chains.site if is_server else chains.files) if not isinstance(guard, not_here)
    )
    return (PlainPath(), *kept) if one.is_raw and PlainPath() not in kept else kept


def every_guard(routing: Routing, chains: Chains) -> list[Guard]:
    """The guards of the ways to the site's app, and of those to the targets of its rules; some more than once."""
    ways = [chains.site, *(route_guards(one, chains) for one in routing.routes)]
    return [guard for way in ways for guard in way]


def _mounts(one: Route, routing: Routing, chains: Chains) -> Iterator[Mount]:
    path, cause, word = one.rule.path, one.rule.cause, one.rule.word
    choice = routing.choice(one)
    guards: tuple[Guard, ...] = (
        *([NotElsewhere(choice)] if choice.routes else []),
        *route_guards(one, chains),
    )
    if path == "/":
        why = "everything else: the site has no app of its own"
        yield Mount(Below(path), Elsewhere(one), why, cause, meeting(Below(path), guards))
        return
    if one.prefix:
        why = "the path without its slash; what is stripped ends with one"
        yield Mount(
            Exact(path), Redirect(f"{path}/"), why, cause, meeting(Exact(path), guards[: bool(choice.routes)])
        )
    else:
        yield Mount(
            Exact(path),
            Elsewhere(one),
            f"a rule sends this path to {word}",
            cause,
            meeting(Exact(path), guards),
        )
    why = f"a rule sends what is below {path} to {word}"
    yield Mount(Below(f"{path}/"), Elsewhere(one), why, cause, meeting(Below(f"{path}/"), guards))


def _is_covered(mount: Mount, routing: Routing) -> bool:
    """Whether a rule takes all requests of this mount; the folders of [static] are left out already."""
    if isinstance(mount.match, Matching) or isinstance(mount.action, Files | OneFile):
        return False
    path = mount.match.path.rstrip("/") or "/"
    return any(is_below(path, one.rule.path) for one in routing.plain)


def route_of(site: Site, place: Place, abilities: frozenset[Ability], one: RouteRule) -> Route:
    """A rule with the way to its target."""
    if not isinstance(one.target, ToSite | ToServer):
        return Route(one)
    there = _as_remote(site, place, one)
    way = link(there)
    if isinstance(one.target, ToSite):
        way = replace(way, silence_seconds=LONGEST_SILENCE_SECONDS, silence_cause=one.cause)
    found = replace(
        upstream(there, place, abilities, ""),
        word=f"route_{one.number}",
        cause=one.cause,
        resolver_cause=one.cause,
    )
    return Route(one, Passage(found, way, trust(there)))


def _as_remote(site: Site, place: Place, one: RouteRule) -> Site:
    """The site as if its app ran at the target of the rule."""
    own = site.options.upstream
    if isinstance(one.target, ToSite):
        name = _socket(routed_socket(place, site.name, one.target.name), one)
    else:
        assert isinstance(one.target, ToServer)
        name = one.target.server.name
    servers = UpstreamOptions(servers=[name], ca=own.ca, resolver=own.resolver)
    facts = AppFacts(app="", directory=site.facts.directory, kind="remote")
    return replace(
        site, options=msgspec.structs.replace(site.options, upstream=servers), facts=facts, routed=()
    )


def _socket(path: str, one: RouteRule) -> str:
    """The name of that server. Raises UsageError if the directory has a letter that a server's name cannot have."""
    name = f"unix:{path}"
    try:
        Server.parse(name)
    except ValueError:
        what = f"the address of another site would be {path!r}, which has a space or a sign"
        hint = "use a directory without one: it is below XDG_RUNTIME_DIR, or below /run as root"
        raise UsageError(Problem(one.cause, what, hint)) from None
    return name
