"""The choice between several builds of nginx. Pure: the facts of each build and the sites decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from portico.place.model import Build, Place
from portico.plan.gateway.faults import Hole
from portico.plan.gateway.nginx.abilities import abilities, impossible_version
from portico.plan.gateway.nginx.abilities import lacking as lacking_abilities
from portico.plan.gateway.nginx.app.upstream import beyond
from portico.plan.gateway.nginx.fragment import fragment
from portico.plan.gateway.nginx.main import tree
from portico.plan.gateway.nginx.security.advisories import AS_OF
from portico.plan.gateway.nginx.security.holes import holes
from portico.plan.gateway.nginx.syntax import Directive
from portico.plan.gateway.nginx.waf import no_waf
from portico.plan.web.build import web
from portico.plan.web.entry.tls import needed
from portico.plan.web.model import Web
from portico.site.model import Site

_MODULES = {
    "uwsgi_pass": "http_uwsgi_module", "proxy_pass": "http_proxy_module", "fastcgi_pass": "http_fastcgi_module",
    "map": "http_map_module", "geo": "http_geo_module", "limit_req_zone": "http_limit_req_module",
    "limit_conn_zone": "http_limit_conn_module", "gzip": "http_gzip_module", "return": "http_rewrite_module",
    "ssi": "http_ssi_module", "auth_basic": "http_auth_basic_module",
}  # fmt: skip
"""Directives, and the module without which a build does not know them."""
_WANTED = {"set_real_ip_from": "http_realip_module"}
"""Directives of modules that are built only on request."""


class Judged(NamedTuple):
    """The judgement of a build for these sites: why it cannot serve them, else the open advisories."""

    build: Build
    unfit: str
    holes: frozenset[Hole]

    @property
    def used(self) -> int:
        return sum(one.is_used for one in self.holes)

    @property
    def rank(self) -> tuple[bool, int, int, tuple[int, ...]]:
        """Lower is better: usable first, then few severe faults, few faults, then abilities: a newer nginx has more."""
        severe = sum(one.is_severe for one in self.holes)
        return bool(self.unfit), severe, self.used, tuple(-number for number in self.build.version)


def chosen(place: Place, sites: Sequence[Site]) -> Place:
    """The place with the build that has the fewest open advisories which these sites would use.

    Nothing changes if there is no choice. Sites that share an nginx are judged together.
    """
    if not place.others:
        return place
    judged = [_judge(build, place, sites) for build in (place.gateway, *place.others)]
    first, *others = sorted(judged, key=lambda one: one.rank)
    return replace(place, gateway=first.build, others=(), gateway_why=_why(first, others))


def configuration(site: Site, place: Place) -> list[Directive]:
    """The configuration of the site, alone or on a shared gateway."""
    made = _decided(site, place)
    return fragment(made) if place.host_runtime else tree(made)


def _decided(site: Site, place: Place) -> Web:
    return web(site, place, abilities(place.gateway))


def _judge(build: Build, place: Place, sites: Sequence[Site]) -> Judged:
    here = replace(place, gateway=build)
    unfit, found = "", dict[str, Hole]()
    for site in map(_with_http2, sites):
        problems = [*impossible_version(build), *lacking_abilities(needed(site), here.gateway)]
        unfit = unfit or next((one.what for one in problems), "")
        unfit = unfit or ("cannot do what [upstream] asks for" if beyond(_decided(site, here)) else "")
        unfit = unfit or ("has no ModSecurity" if no_waf(_decided(site, here)) else "")
        if unfit:
            continue
        made = configuration(site, here)
        unfit = lacking(build, made)
        for one in holes(build, made):
            if one.is_used or one.advisory.id not in found:
                found[one.advisory.id] = one
    return Judged(build, unfit, frozenset(found.values()))


def _with_http2(site: Site) -> Site:
    """The configuration as a build would get it that need not disable HTTP/2."""
    if site.options.https.http2 != "auto":
        return site
    https = msgspec.structs.replace(site.options.https, http2="on")
    return replace(site, options=msgspec.structs.replace(site.options, https=https))


def lacking(build: Build, made: Iterable[Directive]) -> str:
    """The first module that the configuration needs and the build lacks, as a sentence; else None."""
    for name in _names(made):
        if (module := _MODULES.get(name, "")) in build.without:
            return f"was built without {module}"
        if (module := _WANTED.get(name, "")) and module not in build.modules:
            return f"was built without {module}"
    return ""


def _names(made: Iterable[Directive]) -> set[str]:
    names = set[str]()
    for one in made:
        names |= {one.name} | (_names(one.block) if one.block else set())
    return names


def _why(first: Judged, others: Sequence[Judged]) -> str:
    """The reason, as half a line."""
    other = others[0]
    name = f"{_ORIGINS[other.build.origin]} {other.build.number}"
    if other.unfit:
        return f"{name} {other.unfit}"
    if other.used > first.used:
        return f"{_known(first.used)}; {name} has {other.used} (as of {AS_OF})"
    return f"the newer one; {_known(first.used)}, in either (as of {AS_OF})"


_ORIGINS = {"system": "the installed", "embedded": "the embedded", "path": "the other"}


def _known(count: int) -> str:
    faults = "fault" if count == 1 else "faults"
    return f"{count or 'no'} known {faults} that this site would use"
