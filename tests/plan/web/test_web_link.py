"""What is told of routes, when a request is tried again, and whose trace goes on."""

from __future__ import annotations

from msgspec.structs import replace

from portico.plan.web.app.link import RouteFact, link
from portico.plan.web.app.tracing import tracing
from portico.site.model import Routed, Site
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.site.options.observers import Tracing
from portico.site.options.upstream import Upstream
from portico.values import Duration
from tests.plan.test_golden import FACTS

ASGI = replace(FACTS, kind="asgi")
ELSEWHERE = Upstream(servers=["uwsgi://10.0.0.2:3031", "app"])


def site(*edges: Edge, **options: object) -> Site:
    routed = tuple(Routed("/x", "/x", (0,), edge) for edge in edges)
    return Site(Options(**options), FACTS, "/srv/shop", "shop", routed=routed)  # type: ignore[arg-type]


def test_the_worker_is_told_of_a_route_what_some_route_has() -> None:
    assert link(site(Edge())).of_routes == frozenset()
    assert link(site(Edge(timeout=Duration(3)))).of_routes == {RouteFact.DEADLINE}
    assert link(site(Edge(stream=True))).of_routes == {RouteFact.DEADLINE, RouteFact.STREAM}
    asgi = replace(site(Edge(stream=True)), facts=ASGI)
    assert link(asgi).of_routes == {RouteFact.DEADLINE, RouteFact.STREAM}
    shared = replace(
        asgi, options=replace(asgi.options, upstream=Upstream(servers=["app", "http://10.0.0.2:80"]))
    )
    assert link(shared).of_routes == frozenset(), "HTTP carries no such words"


def test_headers_that_are_known_otherwise_are_not_told_twice() -> None:
    found = link(site(Edge(vary=["Accept-Language", "If-Match", "cookie:lang"]), Edge(vary=["Accept"])))
    assert found.varied == ("Accept", "Accept-Language")


def test_a_slow_request_is_never_repeated() -> None:
    assert not link(site()).retry.after_silence
    elsewhere = link(site(upstream=ELSEWHERE))
    assert elsewhere.retry.within_seconds < elsewhere.silence_seconds


def test_who_makes_the_trace() -> None:
    traced = Tracing(endpoint="http://127.0.0.1:4318")
    assert tracing(site()) is None
    for options, by_worker in (({}, True), ({"upstream": ELSEWHERE}, False)):
        found = tracing(site(tracing=traced, **options))
        assert found is not None
        assert found.by_worker is by_worker
        assert not found.from_proxy
