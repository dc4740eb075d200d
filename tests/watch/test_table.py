"""A trace reads a configuration as it stands, beside other sites, too."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from portico.explain.nginx.language import detours
from portico.explain.node import Node
from portico.explain.verdict import Verdict
from portico.plan.decide import decided
from portico.plan.gateway.nginx.server import servers
from portico.plan.gateway.nginx.syntax import Directive
from portico.site.facts import AppFacts
from portico.site.model import Routed, Site
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.values import Duration
from tests.plan.test_golden import PLACE


def node(item: Directive) -> Node:
    children = None if item.block is None else tuple(map(node, item.block))
    return Node(item.name, item.args, children=children)


@pytest.mark.parametrize(("gateway", "names"), [("", "portico_"), ("/run/gateway", "portico_shop__")])
def test_where_a_request_goes_on_is_found_by_the_status_that_leads_there(gateway: str, names: str) -> None:
    slow = Routed("/slow", "/slow", (0,), Edge(timeout=Duration(300)), {"timeout": "here"})
    site = Site(Options(), AppFacts("shop:app", "/srv"), "/srv", "shop", routed=(slow,))
    server = node(servers(decided(site, replace(PLACE, host_runtime=gateway)))[-1])
    found = {" ".join(one.args): one for one in server.all("location")}
    for path, end in (("/", ""), ("= /slow", "_0")):
        ways = detours(Verdict(server, "", (), "", found[path], "", ()))
        for word in ("upgraded", "closed"):
            assert ways[word].args == (f"@{names}{word}{end}",)
