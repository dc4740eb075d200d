"""The Plan of a gateway for several sites. Pure: the same fragments and Place, the same bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.bindings import FILE as BINDINGS
from portico.plan.bindings import Bindings, BindingTable, Spoken, addresses, parse
from portico.plan.directories import body_directories, routed_directory
from portico.plan.files import Directory, File, Line, Process
from portico.plan.gateway.kinds import gateway_of
from portico.plan.model import Plan
from portico.plan.paths import FRAGMENT, GATEWAY, USERS, Paths, hosted_files, live_path
from portico.plan.subjects import Health, Ladder, PlannedChallenge, Tls, Upstream
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.entry.listeners import backlog
from portico.plan.web.sizes import old_workers

_START_SECONDS = 30.0


class Fragment(Struct, frozen=True):
    """The gateway's files of one site, below the site's own directory: its fragment and its list of servers."""

    bindings: Bindings
    texts: tuple[tuple[str, str], ...]
    """File names and contents; with HTTPS the certificate and its key, too."""

    def files(self, group: str = "") -> tuple[File, ...]:
        """The files as the gateway finds them; `group` is that of its workers."""
        here = hosted_files(self.bindings.name)
        return tuple(
            File(f"{here}/{name}", self._lines(name, text), 0o640, group, is_secret=True)
            if USERS.fullmatch(name) and group
            else File(f"{here}/{name}", self._lines(name, text), mode=0o600)
            for name, text in self.texts
        )

    def _lines(self, name: str, text: str) -> tuple[Line, ...]:
        """One for all, unless some of them are the user's: the gateway may complain about those."""
        if name != FRAGMENT or not self.bindings.own:
            return (Line(text.rstrip("\n")),)
        own = dict(self.bindings.own)
        lines = enumerate(text.rstrip("\n").split("\n"), 1)
        return tuple(Line(line, cause=own.get(number, ""), is_users=number in own) for number, line in lines)


def fragment_of(plan: Plan, beside: Sequence[tuple[str, str]] = ()) -> Fragment:
    """The fragment of a site that was planned for a gateway, with its files from outside the plan."""
    found = {file.path: file.content for file in plan.files}
    wanted = parse(found[BINDINGS])
    return Fragment(wanted, (*((name, found[name]) for name in read_of(found)), *beside))


def read_of(names: Collection[str]) -> list[str]:
    """The files in a site's plan that its gateway reads."""
    return [*(name for name in _READ if name in names), *sorted(filter(USERS.fullmatch, names))]


_READ = (FRAGMENT, Upstream.FILE, PlannedChallenge.FILE, *Tls.FILES)


def host_plan(fragments: Sequence[Fragment], place: Place) -> Plan:
    """One gateway for these sites, whose bindings do not conflict. Each site's app has a supervisor of its own."""
    paths, bindings = Paths.of(place), tuple(one.bindings for one in fragments)
    kind = gateway_of(place)
    ladder = Ladder.of(max((one.request_seconds for one in bindings), default=0.0))
    private = 0o750 if place.gateway_group else 0o700
    return Plan(
        name=GATEWAY,
        app="",
        urls=(),
        listen=tuple(addresses(bindings)),
        proxied=tuple(at for at, words in addresses(bindings).items() if Spoken.PROXY_PROTOCOL in words),
        server=Process("app", (), place.runtime, why="each site has a supervisor of its own"),
        gateway=kind.process(place, f"the gateway: one {kind.name} for every site"),
        files=(
            *kind.host_files(bindings, place),
            *(file for one in fragments for file in one.files(place.gateway_group)),
        ),
        directories=(
            Directory(place.runtime, private, group=place.gateway_group),
            Directory(place.state, private, group=place.gateway_group),
            *body_directories(place),
            routed_directory(place),
        ),
        runtime=place.runtime,
        state=place.state,
        socket=live_path(place.runtime),
        socket_group=place.gateway_group,
        backlog=backlog(place),
        booting=paths.booting,
        access_log=paths.access_log,
        error_log=paths.error_log,
        binary=place.gateway.path,
        workers=0,
        threads=0,
        max_upload=0,
        ladder=ladder,
        health=Health(HEALTH, "localhost", "http", "", _START_SECONDS, HEALTH, any_answer=True),
        versions={kind.name: f"{place.gateway.number} ({place.gateway.origin})"},
        standby_seconds=0.0,
        old_workers=old_workers(place),
        sites=tuple(one.runtime for one in bindings),
    )


def fitting(
    fragments: Collection[Fragment],
) -> tuple[list[Fragment], list[tuple[Fragment, Problem]]]:
    """The sites without conflicts, the earlier before the later, and why each of the others conflicts."""
    bindings = BindingTable()
    found = [(one, bindings.add(one.bindings)) for one in fragments]
    return [one for one, problem in found if problem is None], [
        (one, problem) for one, problem in found if problem is not None
    ]
