"""Which names of servers are followed, and when a server is left alone."""

from __future__ import annotations

from msgspec.structs import replace

from portico.place.model import Place
from portico.plan.paths import ALIAS_TENTHS
from portico.plan.web.ability import Ability
from portico.plan.web.app.upstream import Upstream, impossible, upstream
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.upstream import Upstream as Section
from tests.plan.test_golden import FACTS, PLACE

HERE = replace(PLACE, resolvers=("10.0.0.53",), known_hosts=frozenset({"app-b"}))
FOLLOWS = frozenset({Ability.FOLLOWS_NAMES})


def site(*servers: str) -> Site:
    return Site(Options(upstream=Section(servers=list(servers))), FACTS, "/srv/shop", "shop")


def decided(*servers: str, place: Place = HERE, abilities: frozenset[Ability] = FOLLOWS) -> Upstream:
    return upstream(site(*servers), place, abilities, "")


def test_names_are_followed_but_those_that_no_name_server_may_know() -> None:
    both = decided("uwsgi://app-a:3031", "uwsgi://app-b:3031", "app")
    assert [one.is_followed for one in both.targets] == [True, False, False]
    assert both.resolvers == ("10.0.0.53",)
    assert both.unfollowed == ("app-b",)
    assert decided("uwsgi://app-a:3031", "app", abilities=frozenset()).unfollowed == ("app-a",)


def test_nobody_is_asked_where_nothing_is_followed() -> None:
    assert decided("uwsgi://10.0.0.2:3031", "app").resolvers == ()
    alone = replace(HERE, resolvers=())
    (problem,) = impossible(
        site("uwsgi://app-a:3031", "app"), decided("uwsgi://app-a:3031", "app", place=alone), alone
    )
    assert "no name server can resolve app-a" in problem.what


def test_the_only_server_is_never_left_alone_and_one_of_two_later_than_one_of_many() -> None:
    servers = [f"uwsgi://10.0.0.{number}:3031" for number in range(1, 5)]
    assert [decided(*servers[:number]).fails for number in (1, 2, 3, 4)] == [0, 5, 3, 3]


def test_the_app_that_answers_alone_has_several_sockets_with_shares() -> None:
    alone = decided()
    assert not alone.is_shared
    assert [one.weight for one in alone.targets] == list(ALIAS_TENTHS)
