"""Several sites become one Plan: an nginx for all of them. Pure: the same parts and Place, the same bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import claim
from portico.plan.bodies import body_directories
from portico.plan.claim import Claim, Claims
from portico.plan.model import CONF, Directory, File, Health, Ladder, Line, Plan, Process, Tls, Upstream
from portico.plan.nginx.gateway import addresses, gateway_conf
from portico.plan.nginx.locations import HEALTH
from portico.plan.nginx.part import FILE, directory
from portico.plan.nginx.server import backlog
from portico.plan.nginx.sizes import old_workers
from portico.plan.paths import Paths

NAME = "gateway"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Part:
    """What nginx reads for one site, below the site's own directory: its part and its list of servers."""

    claim: Claim
    texts: tuple[tuple[str, str], ...]
    """Names of files and what is in them; with HTTPS the certificate and its key, too."""

    def files(self) -> tuple[File, ...]:
        """Where the gateway's nginx finds them."""
        here = directory(self.claim.name)
        return tuple(File(f"{here}/{name}", self._lines(name, text), mode=0o600) for name, text in self.texts)

    def _lines(self, name: str, text: str) -> tuple[Line, ...]:
        """One for all, unless some of them are the user's: nginx may have something against these."""
        if name != FILE or not self.claim.own:
            return (Line(text.rstrip("\n")),)
        own = dict(self.claim.own)
        lines = enumerate(text.rstrip("\n").split("\n"), 1)
        return tuple(Line(line, cause=own.get(number, ""), is_users=number in own) for number, line in lines)


def part_of(plan: Plan) -> Part:
    """The part of a site that was planned for a gateway."""
    found = {file.path: file.content for file in plan.files if file.path in (*READ, claim.FILE)}
    wanted = claim.parse(found[claim.FILE])
    return Part(wanted, tuple((name, found[name]) for name in READ if name in found))


def placeholder(plan: Plan, beside: Sequence[tuple[str, str]] = ()) -> Part:
    """The same for a site whose app is not there: nginx asks nobody and shows the page that says so.

    Nor does it complain of what everybody knows. `beside` are the files of HTTPS, which are none of the plan's.
    """
    made = part_of(plan)
    return Part(made.claim, (*((name, _unanswered(text)) for name, text in made.texts), *beside))


def _unanswered(text: str) -> str:
    return _COMPLAINTS.sub(r"\1 crit;", _ASKS.sub(r"\1return 502;", text))


_ASKS = re.compile(r"^( *)[a-z]+_pass [^;]*;$", re.MULTILINE)
_COMPLAINTS = re.compile(r"^( *error_log .*) error;$", re.MULTILINE)

READ = (FILE, Upstream.FILE, *Tls.FILES)
"""The files of a site's plan that its gateway's nginx reads."""


def gateway_plan(parts: Sequence[Part], place: Place) -> Plan:
    """One nginx for these sites, whose claims do not conflict. Each site's app is run by a supervisor of its own."""
    paths, claims = Paths.of(place), tuple(one.claim for one in parts)
    ladder = Ladder.of(max((one.request_seconds for one in claims), default=0.0))
    private = 0o750 if place.nginx_group else 0o700
    return Plan(
        name=NAME,
        app="",
        urls=(),
        listen=tuple(addresses(claims)),
        proxied=tuple(at for at, words in addresses(claims).items() if "proxy_protocol" in words),
        server=Process("app", (), place.runtime, why="each site has a supervisor of its own"),
        gateway=Process(
            name="nginx",
            argv=(place.nginx.path, "-p", place.runtime, "-c", f"{CONF}/nginx.conf", "-e", paths.error_log),
            cwd=place.runtime,
            why="the gateway: one nginx for every site",
        ),
        files=(
            gateway_conf(claims, place),
            *(file for one in parts for file in one.files()),
        ),
        directories=(
            Directory(place.runtime, private, group=place.nginx_group),
            Directory(place.state, private, group=place.nginx_group),
            *body_directories(place),
        ),
        runtime=place.runtime,
        state=place.state,
        socket=paths.socket,
        socket_group=place.nginx_group,
        backlog=backlog(place),
        booting=paths.booting,
        access_log=paths.access_log,
        error_log=paths.error_log,
        nginx=place.nginx.path,
        workers=0,
        threads=0,
        max_upload=0,
        ladder=ladder,
        health=Health(HEALTH, "localhost", "http", "", _START_SECONDS, HEALTH, any_answer=True),
        versions={"nginx": f"{place.nginx.number} ({place.nginx.origin})"},
        warm_seconds=0.0,
        old_workers=old_workers(place),
        sites=tuple(one.runtime for one in claims),
    )


def fitting(
    parts: Collection[Part],
) -> tuple[list[Part], list[tuple[Part, Problem]]]:
    """Those that can stand together, the earlier before the later, and why each of the others cannot."""
    claims = Claims()
    found = [(one, claims.add(one.claim)) for one in parts]
    return [one for one, problem in found if problem is None], [
        (one, problem) for one, problem in found if problem is not None
    ]
