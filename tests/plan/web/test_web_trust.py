"""Who may say who the client is, and which headers reach the app."""

from __future__ import annotations

from portico.plan.web.entry.trust import TRACE, Trust, trust
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.node import Node
from portico.site.options.upstream import Upstream
from portico.site.options.workers import Workers
from tests.plan.test_golden import FACTS

SHARED = ["http://10.0.0.7:80", "app"]


def decided(**options: object) -> Trust:
    return trust(Site(Options(**options), FACTS, "/srv/shop", "shop"))  # type: ignore[arg-type]


def test_without_proxies_nobody_names_the_client() -> None:
    assert decided().proxies is None
    assert decided().gateways == ()


def test_a_proxy_that_many_share_names_the_client_in_its_own_header() -> None:
    cloudflare, both = (
        decided(behind=["cloudflare"]).proxies,
        decided(behind=["cloudflare", "10.1.0.0/16"]).proxies,
    )
    assert cloudflare
    assert cloudflare.header == "CF-Connecting-IP"
    assert both
    assert both.header == "X-Forwarded-For"
    assert both.shared == set(both.networks) - {"10.1.0.0/16"}


def test_portico_s_own_worker_removes_families_itself_and_knows_the_header_of_a_trace() -> None:
    assert decided().is_fenced
    assert TRACE not in decided().removed
    assert TRACE in decided(workers=Workers(server="uwsgi")).removed
    shared = decided(upstream=Upstream(servers=SHARED))
    assert not shared.is_fenced
    assert len(shared.removed) > 2 * len(decided().removed), "every name of every family"


def test_what_the_app_s_own_clients_send_reaches_it() -> None:
    assert "X-Host" in decided().removed
    assert "X-Host" not in decided(client_headers=["x-host"]).removed


def test_a_header_of_the_proxy_s_own_is_believed_even_where_many_share_it() -> None:
    of = decided(behind=["cloudflare"], behind_headers=["country"], workers=Workers(server="uwsgi"))
    assert {"CF-IPCountry", "X-Country"} <= set(of.from_proxy)
    assert "CF-IPCountry" in of.from_shared
    assert "X-Country" not in of.from_shared


def test_a_node_answers_its_gateways_and_this_machine() -> None:
    assert decided(node=Node(gateways=["10.0.0.1"])).gateways == ("127.0.0.1", "::1", "10.0.0.1")
