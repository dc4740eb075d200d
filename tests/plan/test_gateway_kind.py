"""A second gateway is a kind and a row: a small one is planned for, and nothing else is told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.place.model import Build
from portico.plan.blame import objection
from portico.plan.build import plan
from portico.plan.files import File, Line, Process
from portico.plan.gateway import kinds
from portico.plan.gateway.faults import Faults
from portico.plan.gateway.kind import GatewayKind
from portico.plan.host import fragment_of, host_plan
from portico.plan.paths import FRAGMENT
from portico.plan.web.ability import Ability
from portico.plan.web.mount import App, Files
from portico.run.gateway.programs import PROGRAMS
from tests.plan.test_golden import PLACE, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portico.place.model import Place
    from portico.plan.bindings import Bindings
    from portico.plan.model import Plan
    from portico.plan.web.model import Web


def process(place: Place, why: str) -> Process:
    return Process("relay", (place.gateway.path, "{conf}/relay.conf"), place.runtime, why=why)


def files(web: Web) -> Sequence[File]:
    """What a line of it says: who answers below which path, and how often a client may ask."""
    lines = [f"listen {address}" for address in web.listeners.tcp]
    for mount in web.mounts:
        guards = " ".join(type(guard).__name__ for guard in mount.guards)
        who = {App: "app", Files: "files"}.get(type(mount.action), "other")
        lines.append(f"{mount.match} {guards} {who}")
    name = FRAGMENT if web.hosts.is_beside_others else "relay.conf"
    made = tuple(Line(text, why="relay", is_users=text.startswith("listen")) for text in lines)
    return (File(name, made),)


def host_files(bindings: Sequence[Bindings], place: Place) -> list[File]:
    del place
    return [File("relay.conf", tuple(Line(f"site {one.name}") for one in bindings))]


def problems(web: Web) -> list[Problem]:
    return [Problem(web.tls.cause, "relay speaks no HTTPS")] if web.tls else []


RELAY = GatewayKind(
    name="relay",
    abilities=lambda _: frozenset({Ability.HTTP2_BY_SITE}),
    remedies={Ability.EVERY_LINE: "there is no other"},
    bodies=("spool",),
    process=process,
    files=files,
    set_for_all=lambda _: (),
    shared=Problem("relay", "its lines hold for every site"),
    modules=lambda _: (),
    once=lambda _: (),
    names_in_order=False,
    one_ends_all="",
    host_files=host_files,
    servers=lambda _: None,
    limits=lambda _: (),
    bans=lambda _: None,
    claims=lambda _: None,
    hsts=lambda tls, seconds: File(tls.HSTS, (Line(str(seconds)),)),
    names_line=re.compile(r"^(?P<path>\S+) line (?P<number>\d+)$", re.MULTILINE),
    problems=problems,
    notes=lambda _: ["relay is small"],
    own_risks=lambda _: [],
    own_limits=lambda *_: [],
    room=lambda _: "a client",
    faults=Faults(
        as_of="never",
        chosen=lambda place, _: place,
        found=lambda *_: (),
        judged_by=lambda _: "nothing",
        mend=lambda _: "nothing",
        alarms=lambda *_: (),
    ),
)
HERE = replace(PLACE, gateway=Build("relay", "/opt/relay", (1, 0)))


@pytest.fixture(autouse=True)
def two_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "GATEWAYS", (*kinds.GATEWAYS, RELAY))


def planned(text: str, directory: Path, place: Place = HERE) -> Plan:
    site, _ = read(text, directory)
    return plan(site, place)


def test_a_site_is_planned_for_it(tmp_path: Path) -> None:
    made = planned("", tmp_path)
    assert (made.gateway.name, made.gateway.argv) == ("relay", ("/opt/relay", "{conf}/relay.conf"))
    assert [file.path for file in made.files] == ["relay.conf", "gunicorn.conf.py"]
    assert "Below(path='/static/')  files" in made.file("relay.conf").content
    assert re.search(r"Below\(path='/'\) .*\bHeadSize\b.* app", made.file("relay.conf").content)
    assert made.versions["relay"] == "1.0 (embedded)"
    assert f"{PLACE.state}/bodies/spool" in [each.path for each in made.directories]
    assert "relay is small" in made.notes
    assert not [note for note in made.notes if "nginx" in note]


def test_what_it_cannot_do_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="relay speaks no HTTPS"):
        planned('[https]\nmode = "local"\n', tmp_path)


def test_several_sites_share_it(tmp_path: Path) -> None:
    made = planned('domains = ["shop.example"]\n', tmp_path, replace(HERE, host_runtime="/run/gateway"))
    host = host_plan([fragment_of(made)], HERE)
    assert host.file("relay.conf").content == "site shop\n"
    assert host.file(f"sites/shop/{FRAGMENT}").content.startswith("listen ")
    assert host.gateway.name == "relay"


def test_its_words_about_a_line_of_the_user_s_are_understood(tmp_path: Path) -> None:
    made = planned("", tmp_path)
    problem = objection(made, "/run/shop/conf/relay.conf line 1")
    assert problem.what == f"relay does not accept this directive: {made.file('relay.conf').lines[0].text}"
    assert objection(made, "no").where == "relay"


def test_each_kind_has_a_program_that_is_run() -> None:
    assert [program.name for program in PROGRAMS] == [kind.name for kind in kinds.GATEWAYS if kind != RELAY]
