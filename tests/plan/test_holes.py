"""Which published faults are open in a build, which a configuration uses, and which build is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.place.model import Build, Package, Place
from portico.plan.gateway.nginx.security import exposure
from portico.plan.gateway.nginx.security.advisories import ADVISORIES, AS_OF
from portico.plan.gateway.nginx.security.choice import chosen, lacking
from portico.plan.gateway.nginx.security.holes import holes, http2_hole, open_in
from portico.plan.gateway.nginx.security.versions import is_fixed
from portico.plan.gateway.nginx.syntax import Directive, block, directive, verbatim
from portico.plan.host import fitting, fragment_of
from portico.plan.notes.reachable import is_reachable
from tests.plan.test_gateway import TLS, planned, site, sited
from tests.plan.test_golden import DEBIAN, EMBEDDED, MODULES, NEW, PLACE

FLOW, BODY, RESOLVER, STRINGS = "CVE-2026-123007", "CVE-2026-118899", "CVE-2026-123634", "CVE-2026-93479"


def build(version: str, package: Package | None = None) -> Build:
    return Build("nginx", "/opt/nginx", tuple(map(int, version.split("."))), MODULES, "path", package=package)


def debian(version: str, *fixes: str, has_changelog: bool = True) -> Build:
    package = Package("nginx", version, "dpkg", frozenset(fixes), has_changelog)
    return build(version.partition("-")[0], package)


def ids(one: Build) -> set[str]:
    return {advisory.id for advisory in open_in(one)}


def test_the_data_is_whole() -> None:
    assert len({one.id for one in ADVISORIES}) == len(ADVISORIES)
    for one in ADVISORIES:
        assert one.fixed, one.id
        assert "2021-01" < one.date <= AS_OF, one.id
        assert one.source.startswith("https://"), one.id
        assert all(is_fixed(one.debian, one.debian) for _ in one.debian[:1]), one.id


@pytest.mark.parametrize(
    ("version", "is_open"),
    [
        ("1.31.9", False), ("1.31.8", True), ("1.31.3", True), ("1.30.7", False), ("1.30.6", True),
        ("1.29.8", True), ("1.22.1", True), ("1.9.4", False), ("1.33.0", False), ("1.32.1", False),
    ],
)  # fmt: skip
def test_a_fault_is_open_in_the_versions_of_both_branches(version: str, is_open: bool) -> None:
    assert (FLOW in ids(build(version))) is is_open


def test_a_package_is_judged_by_its_changelog_and_its_version() -> None:
    assert FLOW not in ids(debian("1.22.1-9+deb12u9", FLOW)), "the changelog names it"
    assert BODY in ids(debian("1.22.1-9+deb12u9", FLOW)), "and not this one"
    assert {FLOW, BODY} & ids(debian("1.22.1-9+deb12u11", has_changelog=False)) == set()
    assert {FLOW, BODY} <= ids(debian("1.22.1-9+deb12u9", has_changelog=False))
    assert {FLOW, BODY} <= ids(debian("1.25.1-1~bookworm", has_changelog=False)), "nginx.org's is no Debian's"
    assert {FLOW, BODY} & ids(debian("1.30.7-1~bookworm", has_changelog=False)) == set()


@pytest.mark.parametrize(
    ("installed", "fixed", "has_it"),
    [
        ("1.22.1-9+deb12u11", "1.22.1-9+deb12u9", True), ("1.22.1-9+deb12u9", "1.22.1-9+deb12u11", False),
        ("1.22.1-9", "1.22.1-9+deb12u1", False), ("1.22.1-9+deb12u11~bpo1", "1.22.1-9+deb12u11", False),
        ("1.24.0-1~bookworm", "1.22.1-9+deb12u11", False), ("1.26.3-3+deb13u1", "1.26.3-3ubuntu1.5", False),
        ("2:1.22.1-9+deb12u11", "1.22.1-9+deb12u11", True),
    ],
)  # fmt: skip
def test_only_versions_of_one_series_are_compared(installed: str, fixed: str, has_it: bool) -> None:
    assert is_fixed(installed, fixed) is has_it


def used(tree: list[Directive], one: Build = EMBEDDED) -> set[str]:
    return {hole.advisory.id for hole in holes(one, tree) if hole.is_used}


def server(*of: Directive) -> list[Directive]:
    return [block("http", why="", of=[block("server", why="", of=of)])]


def location(*of: Directive) -> Directive:
    return block("location", "/a/", why="", of=of)


ALIAS, TRIED = directive("alias", "/srv/a/", why=""), directive("try_files", "$uri", "=404", why="")


def test_directives_must_meet_in_one_block() -> None:
    together, apart = "CVE-2026-125283", server(location(ALIAS), location(TRIED))
    assert together in used(server(location(ALIAS, TRIED)))
    assert together in used(server(location(ALIAS, location(TRIED)))), "alias holds in what is inside"
    assert together not in used(apart)


def test_the_user_s_own_lines_count_and_what_they_include_may_be_anything() -> None:
    quic, mail = "CVE-2026-121810", "CVE-2026-113425"
    assert quic not in used(server(verbatim("# listen 443 quic;\nadd_header X 'listen 1 quic;';", ("",))))
    assert quic in used(server(verbatim("location / {\n  listen 443 quic; }", ("",))))
    assert quic in used(server(verbatim("include snippets/*.conf;", ("",))))
    assert mail not in used(server(verbatim("include snippets/*.conf;", ("",)))), "not below http"


def test_an_advisory_whose_needs_nobody_knows_counts_as_used() -> None:
    assert used([]) == {STRINGS}


def test_a_site_uses_what_is_written_for_it(tmp_path: Path) -> None:
    names = '[upstream]\nservers = ["http://app.internal:1"]\n'
    for more, wanted in (
        ("", {STRINGS}), (TLS, {STRINGS, BODY}), (names, {STRINGS, RESOLVER}),
        (f'{TLS}http2 = "on"\n', {STRINGS, BODY, FLOW, "CVE-2026-123633"}),
    ):  # fmt: skip
        one, place = sited(site("shop", "shop.example", more=more), tmp_path)
        assert {hole.advisory.id for hole in exposure.found(one, place) if hole.is_used} == wanted, more


def test_only_others_make_it_an_alarm(tmp_path: Path) -> None:
    for text, is_reached in (
        ('listen = "127.0.0.1:8000"', False), ('listen = "10.1.2.3:8000"', True), ('listen = "[::1]:8000"', False),
        ('listen = "127.0.0.1:8000"\n[https]\nmode = "local"\nlisten = "0.0.0.0:8443"', True),
        ('listen = "127.0.0.1:8000"\n[https]\nmode = "local"\nlisten = "127.0.0.1:8443"', False),
        ('listen = ":8000"', True), ('listen = "192.0.9.1:80"', True), ('domains = ["a.example"]', True), (TLS, False),
    ):  # fmt: skip
        assert is_reachable(sited(text, tmp_path)[0]) is is_reached, text
    one, place = sited(site("shop", "shop.example", more=TLS), tmp_path)
    (alarm,) = exposure.alarms(one, replace(place, systems=("ubuntu", "debian")))
    assert BODY in alarm
    assert FLOW not in alarm, "HTTP/2 is off"
    assert alarm.endswith(": apt update && apt install nginx")
    assert exposure.alarms(one, replace(place, gateway=DEBIAN)) == ()
    assert exposure.alarms(*sited(site("shop", "shop.example"), tmp_path)) == ()


def mended(place: Place, **changed: object) -> str:
    return exposure.mend(replace(place, **changed))


def test_the_command_that_mends_it_is_the_system_s() -> None:
    assert mended(PLACE, systems=("alpine",)) == "apk add nginx"
    assert mended(PLACE, systems=("rocky", "rhel", "fedora")) == "dnf install nginx"
    assert mended(PLACE, systems=("debian",), gateway_named="embedded").endswith(
        ", and leave out --nginx embedded"
    )
    assert "https://nginx.org/en/linux_packages.html" in mended(PLACE, systems=("plan9",))
    old = debian("1.22.1-9+deb12u9", has_changelog=False)
    assert "no changelog is here" in mended(PLACE, systems=("debian",), gateway=old)
    assert mended(PLACE, systems=("debian",), gateway=build("1.30.1")).startswith(
        "install nginx 1.30.7 or 1.31.9"
    )


def taken(place: Place, one: object, *builds: Build) -> Place:
    return chosen(replace(place, gateway=builds[0], others=tuple(builds[1:])), [one])  # type: ignore[list-item]


def test_the_build_with_fewer_faults_that_the_site_would_use_is_taken(tmp_path: Path) -> None:
    for text in ("", site("shop", "shop.example", more=TLS)):
        one, place = sited(text, tmp_path)
        for builds in ((DEBIAN, EMBEDDED), (EMBEDDED, DEBIAN)):
            made = taken(place, one, *builds)
            assert (made.gateway, made.others) == (DEBIAN, ())
            assert made.gateway_why.startswith(
                "no known faults that this site would use; the embedded 1.31.3 has "
            ), text


def test_an_old_package_is_not_taken_because_it_is_a_package(tmp_path: Path) -> None:
    one, place = sited(site("shop", "shop.example", more=TLS), tmp_path)
    made = taken(place, one, debian("1.22.1-9+deb12u9", has_changelog=False), EMBEDDED)
    assert made.gateway == EMBEDDED


def test_of_equal_ones_the_newer_is_taken(tmp_path: Path) -> None:
    one, place = sited("", tmp_path)
    made = taken(place, one, DEBIAN, NEW)
    assert made.gateway == NEW
    assert (
        made.gateway_why
        == f"the newer one; no known faults that this site would use, in either (as of {AS_OF})"
    )


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        (replace(DEBIAN, version=(1, 18, 0)), "too old"),
        (replace(DEBIAN, modules=frozenset()), "without TLS"),
        (replace(DEBIAN, without=frozenset({"http_uwsgi_module"})), "without http_uwsgi_module"),
    ],
)
def test_a_build_that_cannot_serve_the_site_is_not_taken(spoiled: Build, why: str, tmp_path: Path) -> None:
    one, place = sited(site("shop", "shop.example", more=TLS), tmp_path)
    made = taken(place, one, spoiled, EMBEDDED)
    assert made.gateway == EMBEDDED
    assert why in made.gateway_why


def test_what_the_site_asks_for_comes_before_faults(tmp_path: Path) -> None:
    text = '[upstream]\nmethod = "least_time"\nservers = ["http://10.0.0.1:1", "http://10.0.0.2:1"]\n'
    one, place = sited(text, tmp_path)
    made = taken(place, one, DEBIAN, EMBEDDED)
    assert (made.gateway, made.gateway_why) == (
        EMBEDDED,
        "the installed 1.22.1 cannot do what [upstream] asks for",
    )


def test_sites_of_one_gateway_are_judged_together(tmp_path: Path) -> None:
    """A fault that any of them uses counts."""
    fixed = frozenset({STRINGS})
    plain_is_safe = replace(EMBEDDED, package=Package("nginx", "1.31.3", "apk", fixed, has_changelog=True))
    rewrite = frozenset(one.id for one in ADVISORIES) - {"CVE-2026-42946"}
    one_fault = replace(DEBIAN, package=Package("nginx", "1.22.1", "apk", rewrite, has_changelog=True))
    plain, place = sited(site("a", "a.example"), tmp_path)
    secure, _ = sited(site("b", "b.example", more=TLS), tmp_path)
    both = replace(place, gateway=plain_is_safe, others=(one_fault,))
    assert chosen(both, [plain]).gateway == plain_is_safe
    assert chosen(both, [plain, secure]).gateway == one_fault


def test_a_module_that_must_be_asked_for_is_looked_for() -> None:
    realip = server(directive("set_real_ip_from", "10.0.0.0/8", why=""))
    assert lacking(EMBEDDED, realip) == "was built without http_realip_module"
    assert lacking(replace(EMBEDDED, modules=frozenset({"http_realip_module"})), realip) == ""


def test_http2_is_spoken_as_it_is_said_or_as_it_is_safe(tmp_path: Path) -> None:
    assert http2_hole(NEW) is None
    assert http2_hole(DEBIAN) is None
    hole = http2_hole(EMBEDDED)
    assert hole
    assert hole.id == FLOW
    bare = replace(PLACE, gateway=replace(NEW, modules=MODULES - {"http_v2_module"}))
    with pytest.raises(UsageError, match="without HTTP/2"):
        planned(site("shop", "shop.example", more=f'{TLS}http2 = "on"\n'), tmp_path, bare)


def test_the_reason_is_told_by_the_line_that_an_older_nginx_has_for_it(tmp_path: Path) -> None:
    old = replace(PLACE, gateway=replace(DEBIAN, package=None))
    made = planned(site("shop", "shop.example", more=TLS), tmp_path, old)
    lines = [
        line
        for line in made.file("site.conf").lines
        if line.text.strip().startswith("listen 127.0.0.1:8443 ssl")
    ]
    assert lines
    assert all(FLOW in line.why and "http2" not in line.text for line in lines)
    assert any(FLOW in note for note in made.notes)


def test_http2_is_one_for_an_address_of_an_older_nginx(tmp_path: Path) -> None:
    texts = [
        site(name, f"{name}.example", more=f'{TLS}http2 = "{how}"\n')
        for name, how in (("a", "on"), ("b", "off"))
    ]
    new, old = (
        [fragment_of(planned(text, tmp_path, replace(PLACE, gateway=one))) for text in texts]
        for one in (NEW, DEBIAN)
    )
    assert fitting(new)[1] == []
    ((_, problem),) = fitting(old)[1]
    assert "speaks HTTP/1.1 alone on 127.0.0.1:8443" in problem.what
    assert "[https] http2" in problem.hint
