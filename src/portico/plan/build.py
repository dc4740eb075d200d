"""Site and Place become a Plan. Pure: the same two give the same bytes."""

from __future__ import annotations

import shlex

from portico.errors import UsageError
from portico.place.model import Place
from portico.plan import bindings, tracing
from portico.plan.appserver.build import server_process
from portico.plan.appserver.kind import Feature, app_server
from portico.plan.appserver.workers import capacity
from portico.plan.decide import decided
from portico.plan.directories import directories
from portico.plan.gateway.nginx.cache import caches
from portico.plan.gateway.nginx.fragment import fragment_file
from portico.plan.gateway.nginx.main import nginx_conf
from portico.plan.gateway.nginx.own import set_for_all
from portico.plan.gateway.nginx.pages import error_page_files
from portico.plan.gateway.nginx.server import listen_words
from portico.plan.gateway.nginx.upstream import planned
from portico.plan.model import CONF, File, Health, Ladder, Logs, Plan, Process, Upstream
from portico.plan.notes.build import notes
from portico.plan.paths import Paths
from portico.plan.problems import problems
from portico.plan.security import exposure
from portico.plan.tls import tls
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web
from portico.plan.web.sizes import old_workers
from portico.plan.web.statics import served
from portico.site.model import Site
from portico.site.rules.https import host_of


def plan(site: Site, place: Place, *, is_waiting: bool = False) -> Plan:
    """How the site will run on the place; with `is_waiting` what its gateway shows before its app is known.

    Raises UsageError for what cannot be: a socket path that is too long, an nginx that is too old, a word
    nginx cannot write, servers that cannot share an upstream.
    """
    web = decided(site, place, is_waiting=is_waiting)
    if found := problems(web):
        raise UsageError(*found)
    paths, size = Paths.of(place), capacity(site, place)
    (server, server_files), shared = server_process(site, place, size), planned(web)
    features = app_server(site).features
    return Plan(
        name=site.name,
        app=site.facts.app,
        urls=web.hosts.urls,
        listen=web.listeners.tcp,
        server=server,
        gateway=_nginx(place),
        files=(*_nginx_files(web), *_servers(shared), *server_files, *error_page_files(web)),
        directories=directories(web),
        runtime=place.runtime,
        state=place.state,
        socket=paths.socket,
        socket_group=place.nginx_group,
        backlog=web.listeners.backlog,
        booting=paths.booting,
        access_log=paths.access_log,
        app_log=paths.app_log if Feature.APP_OUTPUT in features else "",
        error_log=paths.error_log,
        nginx=place.nginx.path,
        workers=size.workers,
        threads=size.threads,
        max_upload=site.max_upload,
        ladder=Ladder.of(site.longest_timeout),
        health=_health(web),
        versions=_versions(site, place),
        statics={folder.url: folder.folder for folder in served(site, place)},
        precompressed=web.statics.copies,
        old_workers=old_workers(place),
        notes=notes(web),
        alarms=exposure.alarms(site, place),
        remedy=f"cd {shlex.quote(site.facts.directory)} && {site.facts.remedy}" if site.facts.remedy else "",
        endpoints=tuple(dict.fromkeys(route.endpoint for route in site.facts.routes if route.endpoint)),
        masked=tuple(site.options.trace.mask),
        logs=_logs(site),
        cache=paths.cache if caches(web) else "",
        upstream=shared,
        shared=place.gateway,
        tls=tls(web),
        knows_proxies=bool(web.trust.proxies),
        proxied=web.listeners.tcp if web.listeners.has_proxy_protocol else (),
        tracing=tracing.planned(site),
        metrics=web.observers.metrics,
        dashboard=web.observers.dashboard,
    )


def _nginx_files(web: Web) -> tuple[File, ...]:
    """nginx's whole configuration, or its fragment of a gateway's with what it asks for."""
    site, place = web.site, web.place
    if not place.gateway:
        return (nginx_conf(web),)
    file = fragment_file(web)
    wanted = bindings.Bindings(
        site.name,
        site.origin or site.directory,
        tuple(bindings.Listen(address, words) for address, words in listen_words(web).items()),
        web.hosts.declared,
        request_seconds=float(site.longest_timeout),
        urls=web.hosts.urls,
        runtime=place.runtime,
        sets=set_for_all(web),
        own=tuple((number, line.cause) for number, line in enumerate(file.lines, 1) if line.is_users),
    )
    return file, bindings.file(wanted)


def _servers(shared: Upstream | None) -> tuple[File, ...]:
    return (shared.file(),) if shared else ()


def _nginx(place: Place) -> Process:
    paths = Paths.of(place)
    if place.gateway:
        return Process(
            "nginx", (), place.runtime, why=f"one for several sites: that of the gateway in {place.gateway}"
        )
    return Process(
        name="nginx",
        argv=(place.nginx.path, "-p", place.runtime, "-c", f"{CONF}/nginx.conf", "-e", paths.error_log),
        cwd=place.runtime,
        why="the gateway: talks to clients, so that the app never meets a slow one",
    )


def _health(web: Web) -> Health:
    site = web.site
    first = site.options.canonical or next(iter(site.options.domains), "")
    host = host_of(first.removeprefix("*.")) or web.hosts.urls[0].split("/")[2]
    return Health(
        path=site.options.health,
        host=host,
        scheme="https" if site.has_https else "http",
        script_name=site.prefix,
        start_seconds=site.options.start_timeout,
        gateway_path=HEALTH if web.health.is_answered else site.prefix + site.options.health,
        is_http=app_server(site).protocol == "http",
    )


def _logs(site: Site) -> Logs:
    log = site.options.log
    return Logs(log.show, int(log.size), float(log.age), log.keep)


def _versions(site: Site, place: Place) -> dict[str, str]:
    versions = {"nginx": f"{place.nginx.number} ({place.nginx.origin})"}
    if not site.has_app:
        return versions
    name = app_server(site).name
    versions |= {name: place.servers[name]}
    return versions | ({site.facts.kind: site.facts.version} if site.facts.version else {})
