"""Site and Place become a Plan. Pure: the same input gives the same bytes."""

from __future__ import annotations

import shlex

from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.errors import UsageError
from portico.place.model import Place
from portico.plan import tracing
from portico.plan.app_servers.build import server_process
from portico.plan.app_servers.commands import after_release, background, before_release
from portico.plan.app_servers.workers import capacity
from portico.plan.decide import decided
from portico.plan.development import development, ladder, standby_seconds, urls
from portico.plan.directories import directories
from portico.plan.gateway.build import gateway_files, gateway_process
from portico.plan.gateway.kinds import gateway_of
from portico.plan.health import health
from portico.plan.model import NO_GUARDS, Plan
from portico.plan.notes.build import notes
from portico.plan.paths import Paths, live_path
from portico.plan.problems import problems
from portico.plan.subjects import Guards, Logs
from portico.plan.tls import tls
from portico.plan.web.files.statics import served
from portico.plan.web.model import Web
from portico.plan.web.sizes import old_workers
from portico.site.model import Site


def plan(site: Site, place: Place, *, is_waiting: bool = False) -> Plan:
    """The plan of the site on the place; with `is_waiting` the one for the time before its app is known.

    Raises UsageError for an impossible plan: a socket path that is too long, a gateway that is too old, a word that
    the gateway cannot express, servers that cannot share an upstream.
    """
    web = decided(site, place, is_waiting=is_waiting)
    if found := problems(web):
        raise UsageError(*found)
    return _plan(web)


def _plan(web: Web) -> Plan:
    site, place = web.site, web.place
    kind, paths, size = gateway_of(place), Paths.of(place), capacity(site, place)
    server, server_files = server_process(site, place, size, web.downloads)
    return Plan(
        name=site.name,
        app=site.facts.app,
        urls=urls(web),
        listen=web.listeners.tcp,
        server=server,
        gateway=gateway_process(site, place),
        files=(*(gateway_files(web) if site.has_gateway else ()), *server_files),
        directories=directories(web),
        runtime=place.runtime,
        state=place.state,
        socket=site.options.node.socket or live_path(place.runtime, web.access.rules),
        socket_group=place.gateway_group,
        backlog=web.listeners.backlog,
        booting=paths.booting,
        access_log=paths.access_log,
        app_log=paths.app_log if Feature.APP_OUTPUT in web.app_server.features else "",
        error_log=paths.error_log,
        binary=place.gateway.path,
        workers=size.workers,
        threads=size.threads,
        most_threads=size.most_threads,
        max_upload=site.max_upload,
        ladder=ladder(site),
        health=health(web),
        versions=_versions(web),
        python=place.runs_app if site.has_app else "",
        python_version=place.python_version if site.has_app else "",
        statics={folder.url: folder.folder for folder in served(site, place)},
        precompressed=web.statics.copies,
        standby_seconds=standby_seconds(site),
        before=before_release(site, place),
        after=after_release(site, place),
        background=background(site, place),
        old_workers=old_workers(place),
        guards=_guards(web) if site.has_gateway else NO_GUARDS,
        notes=notes(web),
        alarms=kind.faults.alarms(site, place) if site.has_gateway else (),
        remedy=f"cd {shlex.quote(site.facts.directory)} && {site.facts.remedy}" if site.facts.remedy else "",
        endpoints=tuple(dict.fromkeys(route.endpoint for route in site.facts.routes if route.endpoint)),
        masked=tuple(site.options.trace.mask),
        logs=_logs(site),
        cache=paths.cache if web.cache else "",
        upstream=kind.servers(web),
        shared=place.host_runtime,
        tls=tls(web),
        knows_proxies=bool(web.trust.proxies),
        routed=web.listeners.routed,
        proxied=web.listeners.tcp if web.listeners.has_proxy_protocol else (),
        tracing=tracing.planned(site),
        metrics=web.observers.metrics,
        dashboard=web.observers.dashboard,
        development=development(web),
        mode=web.app_server.mode,
    )


def _guards(web: Web) -> Guards:
    kind = gateway_of(web.place)
    return Guards(
        limits=kind.limits(web),
        bans=kind.bans(web),
        guesses=kind.bans(replace(web, bans=web.guesses)),
        claims=kind.claims(web),
        challenge=web.challenge.planned if web.challenge else None,
        waf_log=Paths.of(web.place).waf_log if web.waf else "",
    )


def _logs(site: Site) -> Logs:
    log = site.options.log
    return Logs(log.show, int(log.size), float(log.age), log.keep)


def _versions(web: Web) -> dict[str, str]:
    site, place, name = web.site, web.place, web.app_server.name
    versions = {place.gateway.program: f"{place.gateway.number} ({place.gateway.origin})"}
    if not site.has_app:
        return versions
    versions |= {name: place.app_servers[name]}
    return versions | ({site.facts.kind: site.facts.version} if site.facts.version else {})
