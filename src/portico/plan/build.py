"""Site and Place become a Plan. Pure: the same two give the same bytes."""

from __future__ import annotations

import shlex

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.place.model import Place
from portico.plan import bindings, tracing
from portico.plan.appserver.build import server_process
from portico.plan.appserver.kind import Feature, app_server
from portico.plan.appserver.workers import capacity
from portico.plan.decide import decided
from portico.plan.directories import directories
from portico.plan.gateway.nginx.abilities import impossible_version
from portico.plan.gateway.nginx.cache import caches
from portico.plan.gateway.nginx.cache import notes as cache_notes
from portico.plan.gateway.nginx.downloads import impossible as no_downloads
from portico.plan.gateway.nginx.fragment import USERS_HTTP, fragment, fragment_file, is_shared
from portico.plan.gateway.nginx.health import notes as health_notes
from portico.plan.gateway.nginx.main import nginx_conf
from portico.plan.gateway.nginx.observer_endpoints import observer_endpoints, refused
from portico.plan.gateway.nginx.pages import error_page_files, unused_pages
from portico.plan.gateway.nginx.tls import impossible as no_tls
from portico.plan.gateway.nginx.tls import notes as tls_notes
from portico.plan.gateway.nginx.upstream import beyond, planned
from portico.plan.gateway.nginx.upstream import notes as names_notes
from portico.plan.model import CONF, File, Health, Ladder, Logs, Plan, Process, Upstream
from portico.plan.notes import app_risks, reachable, unreached
from portico.plan.notes.guarded import guarded_notes
from portico.plan.notes.linked import linked_notes
from portico.plan.notes.uploads import upload_notes
from portico.plan.paths import SOCKET_PATH_LIMIT, Paths
from portico.plan.security import exposure
from portico.plan.tls import tls
from portico.plan.web.health import HEALTH
from portico.plan.web.literal import is_literal
from portico.plan.web.model import Web
from portico.plan.web.routes import impossible as no_routes
from portico.plan.web.sizes import connections, old_workers
from portico.plan.web.statics import served
from portico.plan.web.upstream import impossible as no_upstream
from portico.plan.web.upstream import notes as upstream_notes
from portico.site.model import Site
from portico.site.rules_https import host_of


def plan(site: Site, place: Place) -> Plan:
    """How the site will run on the place.

    Raises UsageError for what cannot be: a socket path that is too long, an nginx that is too old, a word
    nginx cannot write, servers that cannot share an upstream.
    """
    web = decided(site, place)
    _refuse_impossible(web)
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
        notes=_notes(web),
        alarms=exposure.alarms(site, place),
        remedy=f"cd {shlex.quote(site.facts.directory)} && {site.facts.remedy}" if site.facts.remedy else "",
        endpoints=tuple(dict.fromkeys(route.endpoint for route in site.facts.routes if route.endpoint)),
        masked=tuple(site.options.trace.mask),
        logs=_logs(site),
        cache=paths.cache if caches(web) else "",
        upstream=shared,
        shared=place.gateway,
        tls=tls(web),
        knows_proxies=bool(site.proxies),
        proxied=web.listeners.tcp if web.listeners.has_proxy_protocol else (),
        tracing=tracing.planned(site),
        **observer_endpoints(web),
    )


def _nginx_files(web: Web) -> tuple[File, ...]:
    """nginx's whole configuration, or its fragment of a gateway's with what it asks for."""
    site, place = web.site, web.place
    if not place.gateway:
        return (nginx_conf(web),)
    tree = fragment(web)
    file = fragment_file(tree)
    wanted = replace(
        bindings.bindings_of(site.name, site.origin or site.directory, tree),
        request_seconds=float(site.longest_timeout),
        urls=web.hosts.urls,
        runtime=place.runtime,
        own=tuple((number, line.cause) for number, line in enumerate(file.lines, 1) if line.is_users),
    )
    return file, bindings.file(wanted)


def _servers(shared: Upstream | None) -> tuple[File, ...]:
    return (shared.file(),) if shared else ()


def _refuse_impossible(web: Web) -> None:
    site, place = web.site, web.place
    paths = Paths.of(place)
    problems = [
        *no_upstream(site, web.upstream), *beyond(web), *no_tls(web), *no_downloads(web), *no_routes(site),
        *refused(web), *app_risks.impossible(site), *tracing.impossible(site, place),
        *impossible_version(place.nginx),
    ]  # fmt: skip
    length = len(paths.longest_socket.encode())
    if length > SOCKET_PATH_LIMIT:
        problems.append(
            Problem(
                paths.longest_socket,
                f"this socket path has {length} bytes, the system allows {SOCKET_PATH_LIMIT}",
                "set PORTICO_RUNTIME_DIR to a shorter directory",
            )
        )
    problems += [
        Problem(path, "has a $ or a control character, which nginx cannot write", "choose another directory")
        for path in (place.runtime, place.state)
        if not is_literal(path)
    ]
    if problems:
        raise UsageError(*problems)


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


def _short_lived(place: Place) -> list[str]:
    if not place.ends_with_session:
        return []
    ways = "loginctl enable-linger keeps it, PORTICO_RUNTIME_DIR names another"
    return [f"{place.runtime} is removed when you log out, and the site ends: {ways}"]


def _other_python(place: Place) -> list[str]:
    if not place.unused_venv:
        return []
    return [f"{place.unused_venv} is not used, the app runs with {place.python}: {place.how_to_use_venv}"]


def _left_out(place: Place) -> list[str]:
    """What is said of variables that would decide in the plan's place."""
    if not place.variables_of_tools:
        return []
    names = ", ".join(place.variables_of_tools)
    return [
        f"not passed on: {names} of the environment, which would override the plan; portico.toml has options"
    ]


def _notes(web: Web) -> tuple[str, ...]:
    site, place = web.site, web.place
    notes = [
        *app_risks.notes(site),
        *app_risks.processes(site, capacity(site, place)),
        *site.facts.notes,
        *guarded_notes(web),
    ]
    notes += [
        f"nginx cannot read {folder.folder} ({place.unreadable[folder.folder]}): the app itself answers {folder.url}"
        for folder in site.static
        if folder.folder in place.unreadable
    ]
    notes += [
        f"nginx does not serve {folder.folder} ({place.withheld[folder.folder]}): the app itself answers {folder.url}"
        for folder in site.static
        if folder.folder in place.withheld
    ]
    notes += [
        f"nginx cannot write the name {folder.folder!r}: the app itself answers {folder.url}"
        for folder in site.facts.static
        if not is_literal(folder.folder)
    ]
    notes += linked_notes(web)
    notes += [
        *reachable.notes(site, place),
        *unused_pages(web),
        *_left_out(place),
        *_short_lived(place),
        *unreached.notes(site),
        *(_other_python(place) if site.has_app else []),
    ]
    if place.gateway and is_shared(web):
        notes.append(USERS_HTTP)
    notes += health_notes(web)
    notes += tls_notes(web)
    if place.nginx_note:
        notes.append(place.nginx_note)
    notes += [*upstream_notes(site), *names_notes(web)]
    notes += cache_notes(web)
    notes += upload_notes(site)
    if place.app_user and site.has_app:
        notes.append(f"the app runs as '{place.app_user}': {place.app_user_why}")
        notes += [place.entangled] if place.entangled else []
    elif place.app_user_why and site.has_app:
        notes.append(place.app_user_why)
    elif place.is_root and site.has_app:
        notes.append("the app runs as root, as you said; name another with user")
    if place.exposed:
        notes.append(f"root runs Python and Portico from where others may change them: {place.exposed}")
    if connections(place) < 1024:
        notes.append(
            f"only {connections(place)} connections fit the file limit of {place.file_limit}; raise it with ulimit -n"
        )
    return tuple(notes)
