"""Routing rules: what a target may be, which rule wins, and what of the site gives way."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from portico.plan.decide import decided
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.web.guards import NotElsewhere, RequestRate
from portico.plan.web.mount import App, Below, Elsewhere, Exact, Files, Redirect
from portico.plan.web.routing.told import told
from portico.site.checks.values import broken_rules
from portico.site.facts import StaticFolder
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.limits import Limits
from portico.site.options.route import Route
from portico.site.routing import (
    ToFolder,
    ToPage,
    ToRedirect,
    ToServer,
    ToSite,
    by_rank,
    is_below,
    rule,
    target,
)
from tests.plan.test_golden import FACTS, PLACE


def site(*routes: Route, **options: object) -> Site:
    wanted = Options(route=list(routes), **options)  # type: ignore[arg-type]
    rules = by_rank(tuple(rule(number, one) for number, one in enumerate(routes, 1)))
    return Site(wanted, FACTS, "/srv/shop", "shop", rules=rules)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("api", ToSite), ("api.v2", ToSite), ("http://10.0.0.2:8000", ToServer), ("unix:/run/a.sock", ToServer),
        ("uwsgi://10.0.0.2:3031", ToServer),
        ("fastcgi://10.0.0.2:9000", ToServer), ("fastcgi://unix:/run/a.sock", ToServer),
        ("./public/", ToFolder), ("public/", ToFolder), ("308 /new/", ToRedirect),
        ("301 https://new.example", ToRedirect), ("410 gone.html", ToPage),
    ],
)  # fmt: skip
def test_the_word_says_what_kind_of_target_it_is(text: str, kind: type) -> None:
    assert isinstance(target(text), kind)


@pytest.mark.parametrize(
    "text",
    [
        "", "app", "../x", "a b", "308", "308 new", "308 //evil.example", "308 /$uri", "308 /a\nb", "600 /x",
        "410 gone.txt", "410 gone/", "http://10.0.0.2:8000 weight=3",
        "http://10.0.0.2/path", "ftp://x", "301 javascript:alert(1)",
        "301 /a;return", '308 /"', "fastcgi:x",
    ],
)  # fmt: skip
def test_anything_else_is_no_target(text: str) -> None:
    if text == "301 /a;return":
        assert target(text) == ToRedirect(301, "/a;return"), "nginx's syntax is quoted where it is written"
        return
    with pytest.raises(ValueError, match="expected"):
        target(text)


def test_a_rule_is_below_its_own_path_by_segments() -> None:
    assert is_below("/api", "/api")
    assert is_below("/api/x", "/api")
    assert not is_below("/apis", "/api")
    assert is_below("/x", "/")


def test_the_longest_path_wins_then_more_conditions_then_the_order() -> None:
    some = site(
        Route(path="/a", to="one"), Route(path="/a/b/", to="two"), Route(path="/a", to="three", header={"X": "1"}),
        Route(path="/a", to="four", header={"X": "1"}, host=["x.example"]),
        Route(path="/a", to="five", cookie={"x": "1"}),
    )  # fmt: skip
    assert [one.word for one in some.rules] == ["two", "four", "three", "five", "one"]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(path="/", to="api"), "cannot answer everything"),
        (Route(path="api", to="api"), "is not a URL path"),
        (Route(path="/a/../b", to="api"), "is not a URL path"),
        (Route(path="/-/x", to="api"), "is taken"),
        (Route(path="/a", to=""), "says not where"),
        (Route(path="/a", to="shop"), "is this site itself"),
        (Route(path="/a", to="./x/"), "leads to a folder"),
        (Route(path="/a/", to="./x/", method=["GET"]), "by its path alone"),
        (Route(path="/a", to="uwsgi://h:1", strip=True), "cannot be put right"),
        (Route(path="/a", to="fastcgi://h:1", strip=True), "cannot be put right"),
        (Route(path="/a", to="308 /x", strip=True), "gets no path"),
        (Route(path="/a", to="api", host=["other.example"]), "is not a name of this site"),
        (Route(path="/a", to="api", method=["get"]), "is not a method"),
        (Route(path="/a", to="api", header={"X_A": "1"}), "cannot name a header"),
        (Route(path="/a", to="api", header={"X": "a$b"}), "cannot be compared"),
        (Route(path="/a", to="api", cookie={"a-b": "1"}), "cannot name a cookie"),
        (Route(path="/a", to="api", share="100%"), "is no share"),
        (Route(path="/a", to="api", share="ten"), "is no share"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_one_clear_error(route: Route, words: str) -> None:
    broken = broken_rules(Options(name="shop", domains=["shop.example"], route=[route]))
    assert any(words in one.what and one.hint for one in broken), broken


def test_two_rules_for_the_same_requests_are_an_error() -> None:
    twice = [Route(path="/a", to="x"), Route(path="/a/", to="y")]
    assert ["number 1" in one.what for one in broken_rules(Options(route=twice))] == [True]
    shares = [Route(path="/a", to="x", share="10%"), Route(path="/a/", to="y", share="10%")]
    assert not broken_rules(Options(route=shares))


def test_what_the_app_has_below_a_rule_gives_way_and_the_rest_stays() -> None:
    facts = replace(FACTS, static=[StaticFolder("/api/static/", "/srv/x", ""), *FACTS.static])
    web = decided(replace(site(Route(path="/api/", to="api")), facts=facts), PLACE)
    assert [one.match.path for one in web.mounts if isinstance(one.match, Exact | Below)] == [
        "/api", "/api/", "/static/", "//", "/",
    ]  # fmt: skip
    assert not any(isinstance(one.action, Files) and "/api" in str(one.match) for one in web.mounts)


def test_a_server_has_the_limits_of_the_site_and_another_site_its_own() -> None:
    some = site(
        Route(path="/api", to="api"),
        Route(path="/far", to="http://10.0.0.2:8000"),
        limits=Limits(rate=["5/second"]),
    )
    guards = {
        one.match.path: [type(guard) for guard in one.guards]
        for one in decided(some, PLACE).mounts
        if isinstance(one.action, Elsewhere) and isinstance(one.match, Below)
    }
    assert RequestRate in guards["/far/"]
    assert RequestRate not in guards["/api/"]


def test_a_condition_is_asked_on_every_mount_of_the_site() -> None:
    web = decided(site(Route(to="next", cookie={"beta": "1"}), Route(path="/api", to="api")), PLACE)
    for one in web.mounts:
        if isinstance(one.action, App | Files):
            assert isinstance(one.guards[0], NotElsewhere), one.match
    rule_mounts = [one for one in web.mounts if isinstance(one.action, Elsewhere)]
    assert not any(isinstance(guard, NotElsewhere) for one in rule_mounts for guard in one.guards), (
        "a shorter path loses"
    )


def test_a_stripped_prefix_without_its_slash_is_redirected() -> None:
    web = decided(site(Route(path="/api/", to="api", strip=True)), PLACE)
    assert web.mounts[0].match == Exact("/api")
    assert web.mounts[0].action == Redirect("/api/")


def test_a_site_that_others_route_to_has_no_address_and_believes_its_socket_alone() -> None:
    web = decided(site(routed_by=["shop", "admin"], behind=["10.0.0.0/8"]), PLACE)
    assert web.listeners.tcp == ()
    assert len(set(web.listeners.routed)) == 2
    assert web.trust.proxies is not None
    assert web.trust.proxies.networks == ("unix:",)
    assert web.site.believed == {"scheme"}
    assert web.limits.uncounted == ()


def test_each_rule_says_why_it_takes_a_request_or_not() -> None:
    rules = site(
        Route(path="/api", to="api"), Route(path="/api", to="next", header={"X-V": "2"}), Route(path="/b", to="b"),
        Route(path="/api", to="post", method=["POST"]), Route(path="/api", to="tenth", share="10%"),
    ).rules  # fmt: skip
    said = [one.what for one in told(rules, "GET", "shop.example", "/api/x")]
    assert said == [
        "number 2, /api to next: takes the request if it has the header X-V: 2",
        "number 4, /api to post: another method than POST",
        "number 5, /api to tenth: takes the request of 10% of the clients",
        "number 1, /api to api: takes the request",
        "number 3, /b to b: number 1 has taken it",
    ]
    assert (
        told(rules, "GET", "shop.example", "/x")[-1].what
        == "this site itself takes the request if none of them does"
    )


def test_requests_with_a_rule_s_conditions_leave_the_app_s_mounts() -> None:
    web = decided(site(Route(path="/", to="api", header={"X-New": "1"}), Route(path="/a", to="b")), PLACE)
    (guard,) = (one for one in web.chains.site if isinstance(one, NotElsewhere))
    assert guarded(web, [guard])
