"""The gateway of a plan: its process, the files that it reads, and what it cannot do. There is one kind: nginx."""

from __future__ import annotations

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import bindings
from portico.plan.gateway.nginx.abilities import impossible_version
from portico.plan.gateway.nginx.app.upstream import beyond, planned
from portico.plan.gateway.nginx.entry.tls import impossible as no_tls
from portico.plan.gateway.nginx.fragment import fragment_file
from portico.plan.gateway.nginx.main import nginx_conf
from portico.plan.gateway.nginx.own import set_for_all
from portico.plan.gateway.nginx.pages import error_page_files
from portico.plan.gateway.nginx.server import listen_words
from portico.plan.model import CONF, File, Process, Upstream
from portico.plan.paths import Paths
from portico.plan.web.model import Web


def gateway_process(place: Place) -> Process:
    """The gateway of one site; nothing is started where several sites share one."""
    if place.gateway:
        why = f"one for several sites: that of the gateway in {place.gateway}"
        return Process("nginx", (), place.runtime, why=why)
    return nginx_process(place, "the gateway: talks to clients, so that the app never meets a slow one")


def nginx_process(place: Place, why: str) -> Process:
    """nginx, with the configuration of this place."""
    return Process(
        name="nginx",
        argv=(
            place.nginx.path,
            "-p",
            place.runtime,
            "-c",
            f"{CONF}/nginx.conf",
            "-e",
            Paths.of(place).error_log,
        ),
        cwd=place.runtime,
        why=why,
    )


def gateway_files(web: Web) -> tuple[File, ...]:
    """The whole configuration, or a fragment with what it asks for; the servers of [upstream], which change; the pages
    of errors."""
    shared = shared_servers(web)
    return (*_configuration(web), *((shared.file(),) if shared else ()), *error_page_files(web))


def shared_servers(web: Web) -> Upstream | None:
    """The servers of [upstream], with the lines by which the gateway knows each; None where the app answers alone."""
    return planned(web)


def gateway_problems(web: Web) -> list[Problem]:
    """What this gateway, or this build of it, cannot do."""
    return [*beyond(web), *no_tls(web), *impossible_version(web.place.nginx)]


def _configuration(web: Web) -> tuple[File, ...]:
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
