"""Which answers are kept, and whether nginx's patterns say the same."""

from __future__ import annotations

import re

from portico.plan.gateway.nginx.app.cache_maps import STATUS, longer
from portico.plan.web.ability import Ability
from portico.plan.web.app.cache import STATUSES, cache
from portico.site.facts import AppFacts
from portico.site.model import Routed, Site
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.site.options.upstream import Upstream
from portico.site.options.workers import Workers
from portico.values import Duration

KEEPS = frozenset({Ability.CACHE})
EVERY = KEEPS | {Ability.EVERY_LINE}
SITE = Site(Options(), AppFacts("shop:app", "/srv/shop"), "/srv/shop", "shop")


def changed(**options: object) -> Site:
    return Site(Options(**options), SITE.facts, SITE.directory, SITE.name)  # type: ignore[arg-type]


def test_a_gateway_that_reads_one_line_of_vary_keeps_only_what_portico_s_workers_join() -> None:
    assert cache(SITE, KEEPS)
    assert cache(changed(workers=Workers(server="uwsgi")), KEEPS) is None
    assert cache(changed(upstream=Upstream(servers=["http://10.0.0.2"])), KEEPS) is None
    assert cache(changed(workers=Workers(server="uwsgi")), EVERY)


def test_a_route_differs_from_the_site_by_its_time_or_by_keeping_nothing() -> None:
    edges = {"/a": Edge(cache=Duration(60)), "/b": Edge(private=True), "/c": Edge(stream=True), "/d": Edge()}
    routed = tuple(Routed(rule, rule, (0,), edge) for rule, edge in edges.items())
    site = Site(Options(), SITE.facts, SITE.directory, SITE.name, routed=routed)
    found = cache(site, EVERY)
    assert found
    assert {path: route and route.seconds for path, route in found.routes.items()} == {
        "/a": 60,
        "/b": None,
        "/c": None,
    }


def test_nginx_s_patterns_say_the_same() -> None:
    pattern = re.compile(STATUS.removeprefix("~"))
    assert tuple(status for status in range(100, 600) if pattern.search(f"{status}")) == STATUSES
    assert all(pattern.search(f"502, {status}") for status in STATUSES), "the last one counts"
    numbers = re.compile(longer(1048576).removeprefix("~"))
    assert [bool(numbers.search(f"{size}")) for size in (0, 99, 1048576, 1048577, 2000000, 10**7)] == [
        False
    ] * 3 + [True] * 3
