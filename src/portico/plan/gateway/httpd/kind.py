"""Apache httpd, as a kind of gateway."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.files import CONF, File, Process
from portico.plan.gateway.faults import Faults
from portico.plan.gateway.httpd import bans, crawlers
from portico.plan.gateway.httpd.abilities import REMEDIES, abilities, impossible_folders, impossible_version
from portico.plan.gateway.httpd.app.link import limits_of_link
from portico.plan.gateway.httpd.app.room import threads
from portico.plan.gateway.httpd.app.upstream import impossible as no_balancer
from portico.plan.gateway.httpd.app.upstream import notes as of_balancer
from portico.plan.gateway.httpd.app.upstream import planned
from portico.plan.gateway.httpd.entry import tls
from portico.plan.gateway.httpd.entry.bandwidth import no_bandwidth
from portico.plan.gateway.httpd.entry.health import NOTE, health_files
from portico.plan.gateway.httpd.files.robots import robots_files
from portico.plan.gateway.httpd.files.spa import spa_files
from portico.plan.gateway.httpd.fragment import SHARED, fragment_file, once, set_for_all, shared_lines
from portico.plan.gateway.httpd.guards import guard_modules, undone
from portico.plan.gateway.httpd.guards import notes as guards_by_default
from portico.plan.gateway.httpd.host import host_files
from portico.plan.gateway.httpd.main import MAIN, PID_FILE, httpd_conf, modules, plain_file
from portico.plan.gateway.httpd.modules import lacking
from portico.plan.gateway.httpd.own import own_limits, own_risks, untested
from portico.plan.gateway.httpd.pages import error_page_files
from portico.plan.gateway.httpd.routing.elsewhere import impossible as no_route
from portico.plan.gateway.httpd.routing.elsewhere import rule_pages
from portico.plan.gateway.httpd.routing.proof import impossible as unproven
from portico.plan.gateway.httpd.routing.proof import notes as of_proofs
from portico.plan.gateway.httpd.undone import missing
from portico.plan.gateway.httpd.waf import waf_notes, waf_problems
from portico.plan.gateway.kind import Alone, GatewayKind
from portico.plan.gateway.user_files import users_files
from portico.plan.web.model import Web
from portico.plan.web.sizes import connections


def _process(place: Place, why: str) -> Process:
    argv = (place.gateway.path, "-D", "FOREGROUND", "-d", CONF, "-f", f"{CONF}/{MAIN}")
    return Process(name="apache", argv=argv, cwd=place.runtime, why=why)


def _files(web: Web) -> Sequence[File]:
    return (
        fragment_file(web) if web.hosts.is_beside_others else httpd_conf(web),
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


def _problems(web: Web) -> list[Problem]:
    return [
        *impossible_version(web.place.gateway),
        *impossible_folders(web.place),
        *tls.impossible(web),
        *no_route(web),
        *unproven(web),
        *no_balancer(web),
        *lacking(web.place.gateway, guard_modules(web), "a password", "access"),
        *waf_problems(web),
        *no_bandwidth(web),
        *untested(web),
        *undone(web),
        *missing(web),
    ]


def _notes(web: Web) -> list[str]:
    return [
        NOTE,
        *shared_lines(web),
        *tls.notes(web),
        *limits_of_link(web),
        *of_balancer(web),
        *of_proofs(web),
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
    set_for_all=set_for_all,
    shared=SHARED,
    modules=lambda web: tuple(modules(web)),
    once=once,
    names_in_order=True,
    one_ends_all="Apache httpd cannot keep sites of different users apart: one can end it for all by an address that "
    "is taken or a file that is removed",
    host_files=host_files,
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
