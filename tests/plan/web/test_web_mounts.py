"""Every way to the app is guarded, whoever sends a request on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from msgspec.structs import replace

from portico.plan.decide import decided
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.server import servers
from portico.plan.gateway.nginx.syntax import Directive
from portico.plan.web.access import ByPath, Row, Taken
from portico.plan.web.guards import (
    FromNetworks,
    Guard,
    InProgress,
    Inspection,
    Methods,
    NotDenied,
    NotElsewhere,
    Open,
    Passed,
    PlainPath,
    RequestRate,
)
from portico.plan.web.limits import Concurrent, Whom
from portico.plan.web.mount import App, Below, Exact, Files, Match, Matching, Mount, OneFile
from portico.plan.web.mounts import meeting, mounts
from portico.reading import OURS
from portico.site.access.rules import access_rules
from portico.site.access.sha512_crypt import hashed
from portico.site.facts import AppFacts, RootFile, Rule, StaticFolder, Unrouted
from portico.site.load import load
from portico.site.model import Site
from portico.site.options.guard import Guard as GuardOptions
from portico.site.routed import routed
from portico.values import Size
from tests.plan.test_golden import PLACE, WAF

TOML = """
spa = "/srv/shop/dist"
https = { mode = "local", client_ca = "ca.pem", client_verify = "optional" }
[limits]
rate = "5/second"
in_progress = 3
[guard]
routes = true
ban = "10m"
[crawlers]
training = "refuse"
[routes]
"/slow/" = { timeout = "5m" }
"/live/<id>" = { stream = true }
[access."/"]
allow = ["10.0.0.0/8"]
deny = ["10.6.6.0/24"]
methods = ["GET", "POST"]
users = "staff.users"
auth = "/check"
certificate = true
[access."/slow/open"]
anybody = true
"""

QUESTIONS = ("/-/health/app", "/-/access/1")
"""Where nginx asks the app itself."""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    toml = tmp_path_factory.mktemp("site") / "portico.toml"
    toml.write_text(TOML)
    (toml.parent / "staff.users").write_text(f"anna:{hashed('a')}\n")
    options, causes = load(toml, {})
    facts = AppFacts(
        app="shop:app", directory="/srv/shop", kind="flask", version="3.1.3",
        static=[StaticFolder("/static/", "/srv/shop/static", "the app's static folder", is_asked=True)],
        unrouted=Unrouted([Rule("/slow/", "/slow/", ["GET"])]),
    )  # fmt: skip
    found = routed(options, facts, causes)
    return Site(
        options,
        facts,
        "/srv/shop",
        "shop",
        causes,
        spa="/srv/shop/dist",
        root_files=(RootFile("/favicon.ico", "/srv/shop/static/favicon.ico", "the app's static folder"),),
        routed=found,
        access=access_rules(options, found, facts, toml.parent, causes, OURS, []),
    )


def every(mounts: tuple[Mount, ...]) -> Iterator[Mount]:
    for mount in mounts:
        yield mount
        yield from every(mount.inside)


def blocks(tree: list[Directive] | tuple[Directive, ...]) -> Iterator[Directive]:
    for one in tree:
        if one.block is not None:
            yield one
            yield from blocks(one.block)


def test_whatever_the_app_answers_has_all_guards(site: Site) -> None:
    web = decided(site, PLACE)
    of_app = [mount for mount in every(web.mounts) if isinstance(mount.action, App)]
    assert len(of_app) > 3
    for mount in of_app:
        assert isinstance(mount.action, App)
        assert mount.guards == web.chains.of(mount.action.routed)
    assert {type(guard) for guard in web.chains.site} >= {Open, RequestRate, InProgress}


def test_each_kind_of_guard_is_written_for_nginx(site: Site) -> None:
    web = decided(site, PLACE)
    assert {type(guard) for guard in web.chains.site} == set(get_args(Guard)) - {
        NotElsewhere,
        PlainPath,
        Inspection,
        Passed,
        NotElsewhere,  # the site has no rules: test_web_routing
    }
    assert [guard for guard in web.chains.site if not guarded(web, [guard])] == []


def test_every_way_to_the_app_is_inspected_after_the_other_guards(site: Site) -> None:
    """nginx's module inspects before a limit counts: so it is on in named locations alone."""
    firewall = replace(
        site,
        options=replace(site.options, guard=GuardOptions(waf="block")),
        routed=tuple(
            replace(one, edge=replace(one.edge, max_upload=Size(1 << 30))) if one.rule == "/slow/" else one
            for one in site.routed
        ),
    )
    web = decided(firewall, replace(PLACE, gateway=WAF))
    named = {
        one.args[-1]: {item.name for item in one.block or ()}
        for one in blocks(servers(web))
        if one.name == "location"
    }
    asks = {name for name, words in named.items() if "uwsgi_pass" in words and "/-/" not in name}
    inspects = {name for name, words in named.items() if "modsecurity" in words}
    (large,) = (str(at) for at, one in enumerate(web.routed) if one.rule == "/slow/")
    assert all(name.startswith("@") for name in inspects)
    assert inspects < asks
    assert {name for name in asks - inspects if not name.endswith(f"_{large}")} == {"/slow/", r"^//+slow/\z"}


def test_every_file_asks_who_may_come(site: Site) -> None:
    web = decided(site, PLACE)
    files = [mount for mount in every(web.mounts) if isinstance(mount.action, Files | OneFile)]
    assert len(files) == 2
    for mount in files:
        assert mount.guards == web.chains.files
    assert {NotDenied, FromNetworks, Methods} <= {type(guard) for guard in web.chains.files}


def test_every_location_that_a_client_reaches_asks_who_may_come(site: Site) -> None:
    """A named location is reached from one that has asked; what is internal, from nginx itself."""
    answering = {"alias", "root", "try_files", "uwsgi_pass"}
    found = [
        one
        for one in blocks(servers(decided(site, PLACE)))
        if one.name == "location"
        and not one.args[-1].startswith("@")
        and (names := {item.name for item in one.block or ()}) & answering
        and "internal" not in names
        and not one.args[-1].startswith(("/-/health", "/-/errors/"))
    ]
    assert len(found) > 5
    for one in found:
        conditions = {item.args[0] for item in one.block or () if item.name == "if"}
        assert {"($portico_denied)", "($portico_outside)", "($portico_wrong_method)"} <= conditions, one.args
        assert {"auth_basic", "auth_request", "satisfy"} <= {item.name for item in one.block or ()}, one.args


def test_every_location_that_asks_the_app_asks_for_a_password(site: Site) -> None:
    """Named locations, too: nginx looks at passwords where a request ends up. Its own question has none."""
    for one in blocks(servers(decided(site, PLACE))):
        names = {item.name for item in one.block or ()}
        if "uwsgi_pass" in names and one.args[-1] not in QUESTIONS:
            assert {"auth_basic", "auth_request"} <= names, f"{one.args} asks the app without a password"


@pytest.mark.parametrize(
    ("match", "meets"),
    [(Below("/"), True), (Below("//"), True), (Below("/admin/x"), True), (Exact("/ADMIN"), True), (Below("/ad"), True),
     (Matching(r"^/admin/\d+\z"), True), (Matching(r"^//+admin/\d+\z"), True), (Below("/static/"), False),
     (Exact("/other"), False), (Matching(r"^/static/\d+\z"), False)],
)  # fmt: skip
def test_a_mount_asks_what_may_be_asked_of_its_paths(match: Match, meets: bool) -> None:
    guard = Methods(ByPath((Row("/admin", "/admin", "^/+admin", True, Taken(("GET",), "")),), None))
    assert meeting(match, [guard]) == ((guard,) if meets else ())


def test_every_location_that_asks_the_app_counts(site: Site) -> None:
    """The question of the health location is limited where it is asked."""
    asking = [
        one
        for one in blocks(servers(decided(site, PLACE)))
        if any(item.name.endswith("_pass") for item in one.block or ()) and one.args[-1] not in QUESTIONS
    ]
    assert len(asking) > 8
    for one in asking:
        names = {item.name for item in one.block or ()}
        assert {"limit_req", "limit_conn"} <= names, f"{one.args} asks the app without a limit"


def test_a_route_with_guards_of_its_own_has_them_wherever_its_requests_go(site: Site) -> None:
    """WebSockets, a closed site, the page of a single-page app, other methods than reading a file."""
    web = decided(site, PLACE)
    slow = next(one for one in web.routed if one.rule == "/slow/")
    strict = InProgress(Concurrent("in_progress", 1, Whom("client"), "1 in progress", "/slow/", ""))
    chains = replace(web.chains, routes={slow.pattern: (strict,)})
    made = mounts(site, PLACE, web.statics, chains)
    files = [replace(one, asked=App(slow, is_cached=False)) if one.asked else one for one in made]
    tree = servers(replace(web, chains=chains, mounts=tuple(files)))
    found = {
        one.args[-1]: {(item.name, *item.args) for item in one.block or ()}
        for one in blocks(tree)
        if any(item.name.endswith("_pass") for item in one.block or ()) and one.args[-1] not in QUESTIONS
    }
    ours = {name for name, of in found.items() if ("limit_conn", "portico_in_progress", "1") in of}
    assert ours == {
        "/slow/", r"^//+slow/\z", "@portico_upgraded_0", "@portico_closed_0", "@portico_page_0",
        "@portico_method_of_the_app_0",
    }  # fmt: skip
    for name, of in found.items():
        assert (name in ours) != any(item[0] == "limit_req" for item in of), name


def test_guards_of_files_are_written_where_the_files_are(site: Site) -> None:
    web = decided(site, PLACE)
    strict = InProgress(Concurrent("in_progress", 1, Whom("client"), "1 in progress", "files", ""))
    made = tuple(
        replace(one, guards=(strict,)) if isinstance(one.action, Files | OneFile) else one
        for one in web.mounts
    )
    guarded_now = {
        one.args[-1]
        for one in blocks(servers(replace(web, mounts=made)))
        if any(
            (item.name, *item.args) == ("limit_conn", "portico_in_progress", "1") for item in one.block or ()
        )
    }
    files = {one.action for one in made if isinstance(one.action, Files | OneFile)}
    assert guarded_now == {one.folder.url if isinstance(one, Files) else one.file.url for one in files}
