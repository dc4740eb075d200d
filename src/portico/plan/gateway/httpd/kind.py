"""Apache httpd, as a kind of gateway."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portico.errors import Problem, UsageError
from portico.place.model import Place
from portico.plan.bindings import Bindings
from portico.plan.files import CONF, File, Process
from portico.plan.gateway.faults import Faults
from portico.plan.gateway.httpd import bans, crawlers
from portico.plan.gateway.httpd.abilities import REMEDIES, abilities, impossible_folders, impossible_version
from portico.plan.gateway.httpd.app.link import limits_of_link
from portico.plan.gateway.httpd.app.upstream import impossible as no_balancer
from portico.plan.gateway.httpd.app.upstream import notes as of_balancer
from portico.plan.gateway.httpd.app.upstream import planned
from portico.plan.gateway.httpd.bandwidth import no_bandwidth
from portico.plan.gateway.httpd.entry import tls
from portico.plan.gateway.httpd.entry.health import NOTE, health_files
from portico.plan.gateway.httpd.entry.trust import impossible as no_trust
from portico.plan.gateway.httpd.files.spa import spa_files
from portico.plan.gateway.httpd.guards import guard_modules, undone
from portico.plan.gateway.httpd.guards import notes as guards_by_default
from portico.plan.gateway.httpd.main import MAIN, PID_FILE, httpd_conf, plain_file, threads
from portico.plan.gateway.httpd.modules import lacking
from portico.plan.gateway.httpd.own import own_limits, own_risks
from portico.plan.gateway.httpd.pages import error_page_files
from portico.plan.gateway.httpd.robots import robots_files
from portico.plan.gateway.httpd.routing.elsewhere import impossible as no_route
from portico.plan.gateway.httpd.routing.elsewhere import rule_pages
from portico.plan.gateway.httpd.undone import missing
from portico.plan.gateway.httpd.waf import waf_notes, waf_problems
from portico.plan.gateway.kind import Alone, GatewayKind
from portico.plan.gateway.user_files import users_files
from portico.plan.web.model import Web
from portico.plan.web.sizes import connections

_ALONE = Problem(
    "gateway",
    "Apache httpd serves one site: several share an nginx",
    'run each with gateway = "apache" by itself, or all with nginx',
)


def _process(place: Place, why: str) -> Process:
    argv = (place.gateway.path, "-D", "FOREGROUND", "-d", CONF, "-f", f"{CONF}/{MAIN}")
    return Process(name="apache", argv=argv, cwd=place.runtime, why=why)


def _files(web: Web) -> Sequence[File]:
    return (
        httpd_conf(web),
        *health_files(web),
        *error_page_files(web),
        *rule_pages(web),
        *spa_files(web),
        *users_files(web),
        *robots_files(web),
    )


def _plain(web: Web) -> Sequence[File]:
    return (
        plain_file(web),
        *health_files(web),
        *error_page_files(web),
        *rule_pages(web),
        *spa_files(web),
        *users_files(web),
        *robots_files(web),
    )


def _host_file(_bindings: Sequence[Bindings], _place: Place) -> File:
    raise UsageError(_ALONE)


def _problems(web: Web) -> list[Problem]:
    alone = [_ALONE] if web.hosts.is_beside_others else []
    return [
        *alone,
        *impossible_version(web.place.gateway),
        *impossible_folders(web.place),
        *tls.impossible(web),
        *no_trust(web),
        *no_route(web),
        *no_balancer(web),
        *lacking(web.place.gateway, guard_modules(web), "a password", "access"),
        *waf_problems(web),
        *no_bandwidth(web),
        *undone(web),
        *missing(web),
    ]


def _notes(web: Web) -> list[str]:
    return [
        NOTE,
        *tls.notes(web),
        *limits_of_link(web),
        *of_balancer(web),
        *guards_by_default(web),
        *waf_notes(web),
    ]


HTTPD = GatewayKind(
    name="apache",
    abilities=lambda place: abilities(place.gateway),
    remedies=REMEDIES,
    bodies=(),
    process=_process,
    files=_files,
    set_for_all=lambda _: (),
    shared=_ALONE,
    host_file=_host_file,
    servers=planned,
    limits=lambda _: (),
    bans=bans.planned,
    claims=crawlers.planned,
    hsts=tls.hsts_file,
    names_line=re.compile(r"on line (?P<number>\d+) of (?P<path>/\S+?):?$", re.MULTILINE),
    problems=_problems,
    notes=_notes,
    own_risks=own_risks,
    own_limits=own_limits,
    alone=Alone(files=_plain, pid=PID_FILE, only_test=("-t",), stop="WINCH", reload="USR1", reopen="USR1"),
    room=lambda place: f"{threads(connections(place))} requests in each apache process",
    faults=Faults(
        as_of="",
        chosen=lambda place, _: place,
        found=lambda *_: (),
        judged_by=lambda _: "your distribution: Portico has no list of httpd's published faults",
        mend=lambda _: "apt install --only-upgrade apache2-bin",
        alarms=lambda *_: (),
    ),
)
