"""Site and Place become the gateway's decisions. Pure."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server, common_features
from portico.plan.paths import Paths
from portico.plan.web.ability import Ability
from portico.plan.web.access import access
from portico.plan.web.allow_list import allow_list
from portico.plan.web.app.cache import cache
from portico.plan.web.app.challenge import challenge
from portico.plan.web.app.downloads import downloads
from portico.plan.web.app.link import link
from portico.plan.web.app.server_timing import server_timing
from portico.plan.web.app.tracing import tracing
from portico.plan.web.app.upstream import upstream
from portico.plan.web.entry.health import health
from portico.plan.web.entry.host_header import host
from portico.plan.web.entry.hosts import hosts
from portico.plan.web.entry.listeners import listeners
from portico.plan.web.entry.observer_endpoints import observer_endpoints
from portico.plan.web.entry.tls import tls
from portico.plan.web.entry.transfer import transfer
from portico.plan.web.entry.trust import trust
from portico.plan.web.files.spa import spa
from portico.plan.web.files.statics import statics
from portico.plan.web.guards import Guarded, chains
from portico.plan.web.headers import headers
from portico.plan.web.limits import limits
from portico.plan.web.log import log
from portico.plan.web.model import Web
from portico.plan.web.mounts import mounts
from portico.plan.web.own import own_directives
from portico.plan.web.pages import pages
from portico.plan.web.processes import processes
from portico.plan.web.routing.build import routed_mounts, routing
from portico.plan.web.routing.mirror import mirror
from portico.plan.web.routing.model import Choice
from portico.plan.web.space import space
from portico.plan.web.unwanted.bans import bans, guesses
from portico.plan.web.unwanted.crawlers import crawlers, robots
from portico.plan.web.waf import waf
from portico.site.model import Site


def web(site: Site, place: Place, abilities: frozenset[Ability], *, is_waiting: bool = False) -> Web:
    """All decisions about the site on this place, for a gateway with these abilities."""
    files, own = statics(site, place), own_directives(site)
    routes = routing(site, place, abilities)
    guarded = _guarded(site, place, routes.choice(), is_waiting=is_waiting)
    has_app, known = site.has_app or bool(site.servers), guarded.allow_list
    guards = chains(place, guarded, site.routed, has_app=has_app)
    return Web(
        site=site,
        place=place,
        name=site.name,
        abilities=abilities,
        space=space(site, place),
        app_server=app_server(site),
        features=common_features(site),
        is_waiting=is_waiting,
        prefix=site.prefix,
        processes=processes(place),
        listeners=listeners(site, place, abilities),
        hosts=hosts(site, place),
        transfer=transfer(site, place),
        health=health(site, abilities),
        observers=observer_endpoints(site, place),
        tls=tls(site, abilities),
        trust=trust(site),
        host=host(site),
        upstream=upstream(site, place, abilities, guarded.access.rules),
        link=link(site),
        downloads=downloads(site, place, abilities),
        tracing=tracing(site),
        server_timing=server_timing(site),
        own=own,
        pages=pages(site, guarded.limits, guards.every),
        log=log(site, abilities),
        limits=guarded.limits,
        headers=headers(site, abilities),
        access=guarded.access,
        bans=guarded.bans,
        guesses=guesses(site, place, guarded.access),
        challenge=guarded.challenge,
        crawlers=guarded.crawlers,
        robots=None if is_waiting else robots(site, own),
        allow_list=known,
        statics=files,
        spa=spa(site, place),
        cache=cache(site, abilities),
        routed=site.routed,
        hides_bodies=place.hides_bodies,
        waf=guarded.waf,
        chains=guards,
        routing=routes,
        mirror=mirror(site, place, abilities),
        mounts=routed_mounts(mounts(site, place, files, guards), routes, guards),
    )


def _guarded(site: Site, place: Place, choice: Choice, *, is_waiting: bool) -> Guarded:
    admitted = access(site, place)
    return Guarded(
        limits=limits(site, place),
        access=admitted,
        waf=waf(site, place),
        allow_list=None if is_waiting else allow_list(site, Paths.of(place).mixed, admitted.users),
        bans=bans(site, place, is_waiting=is_waiting),
        challenge=challenge(site, place),
        crawlers=crawlers(site, place),
        choice=choice,
    )
