"""nginx, as a kind of gateway."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.files import CONF, File, Process
from portico.plan.gateway.faults import Faults
from portico.plan.gateway.kind import Alone, GatewayKind
from portico.plan.gateway.nginx.abilities import REMEDIES, abilities, impossible_version
from portico.plan.gateway.nginx.app.challenge import challenge_files, solved_limits
from portico.plan.gateway.nginx.app.upstream import beyond, planned
from portico.plan.gateway.nginx.app.upstream import notes as names_of_servers
from portico.plan.gateway.nginx.bans import planned as planned_bans
from portico.plan.gateway.nginx.crawlers import planned as planned_claims
from portico.plan.gateway.nginx.entry.health import notes as health
from portico.plan.gateway.nginx.entry.tls import hsts_file
from portico.plan.gateway.nginx.entry.tls import impossible as no_tls
from portico.plan.gateway.nginx.entry.tls import notes as tls
from portico.plan.gateway.nginx.files.robots import robots_files
from portico.plan.gateway.nginx.fragment import SHARED, fragment_file, shared_lines
from portico.plan.gateway.nginx.host import host_conf
from portico.plan.gateway.nginx.http import BODIES
from portico.plan.gateway.nginx.limits.zones import planned as planned_limits
from portico.plan.gateway.nginx.main import nginx_conf
from portico.plan.gateway.nginx.own import set_for_all
from portico.plan.gateway.nginx.own_limits import own_limits
from portico.plan.gateway.nginx.own_risks import own_risks
from portico.plan.gateway.nginx.pages import error_page_files
from portico.plan.gateway.nginx.plain.files import plain_files
from portico.plan.gateway.nginx.security import exposure
from portico.plan.gateway.nginx.security.advisories import AS_OF
from portico.plan.gateway.nginx.security.choice import chosen
from portico.plan.gateway.nginx.waf import no_waf
from portico.plan.gateway.user_files import users_files
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.plan.web.sizes import connections


def _process(place: Place, why: str) -> Process:
    argv = (
        place.gateway.path,
        "-p",
        place.runtime,
        "-c",
        f"{CONF}/nginx.conf",
        "-e",
        Paths.of(place).error_log,
    )
    return Process(name="nginx", argv=argv, cwd=place.runtime, why=why)


def _files(web: Web) -> Sequence[File]:
    """The configuration; the list of [upstream] servers, which changes; the error pages."""
    shared = planned(web)
    return (
        fragment_file(web) if web.hosts.is_beside_others else nginx_conf(web),
        *((shared.file(),) if shared else ()),
        *users_files(web),
        *error_page_files(web),
        *challenge_files(web),
        *robots_files(web),
    )


def _plain(web: Web) -> Sequence[File]:
    first, *others = _files(web)
    return (*plain_files(web), *(file for file in others if file.path != first.path))


def _problems(web: Web) -> list[Problem]:
    return [*beyond(web), *no_tls(web), *no_waf(web), *impossible_version(web.place.gateway)]


def _notes(web: Web) -> list[str]:
    return [*shared_lines(web), *health(web), *tls(web), *_unusable_build(web), *names_of_servers(web)]


def _unusable_build(web: Web) -> list[str]:
    """Why an existing build cannot be used."""
    return [web.place.gateway_note] if web.place.gateway_note else []


NGINX = GatewayKind(
    name="nginx",
    abilities=lambda place: abilities(place.gateway),
    remedies=REMEDIES,
    bodies=BODIES,
    process=_process,
    files=_files,
    set_for_all=set_for_all,
    shared=SHARED,
    modules=lambda _: (),
    once=lambda _: (),
    names_in_order=False,
    one_ends_all="",
    host_files=lambda bindings, place: [host_conf(bindings, place)],
    servers=planned,
    bans=planned_bans,
    claims=planned_claims,
    limits=lambda web: (*planned_limits(web), *solved_limits(web)),
    hsts=hsts_file,
    names_line=re.compile(r" in (?P<path>/\S+?):(?P<number>\d+)$", re.MULTILINE),
    problems=_problems,
    notes=_notes,
    own_risks=own_risks,
    own_limits=own_limits,
    alone=Alone(
        files=_plain, pid="nginx.pid", only_test=("-t", "-q"), stop="QUIT", reload="HUP", reopen="USR1"
    ),
    room=lambda place: f"{connections(place)} connections in each nginx worker",
    faults=Faults(
        as_of=AS_OF,
        chosen=chosen,
        found=exposure.found,
        judged_by=lambda place: exposure.judged_by(place.gateway),
        mend=exposure.mend,
        alarms=exposure.alarms,
    ),
)
