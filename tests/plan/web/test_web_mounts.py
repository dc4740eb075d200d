"""Every way to the app is guarded, whoever sends a request on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from portico.plan.decide import decided
from portico.plan.gateway.nginx.conf import Directive
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.server import servers
from portico.plan.web.guards import Guard, InProgress, Open, RequestRate
from portico.plan.web.mount import App, Mount
from portico.site.facts import AppFacts, StaticFolder
from portico.site.load import load
from portico.site.model import Site
from portico.site.routed import routed
from tests.plan.test_golden import PLACE

TOML = """
spa = "/srv/shop/dist"
[limits]
rate = "5r/s"
in_progress = 3
[routes]
"/slow/" = { timeout = "5m" }
"/live/<id>" = { stream = true }
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    toml = tmp_path_factory.mktemp("site") / "portico.toml"
    toml.write_text(TOML)
    options, causes = load(toml, {})
    facts = AppFacts(
        app="shop:app", directory="/srv/shop", kind="flask", version="3.1.3",
        static=[StaticFolder("/static/", "/srv/shop/static", "the app's static folder", is_asked=True)],
    )  # fmt: skip
    return Site(
        options,
        facts,
        "/srv/shop",
        "shop",
        causes,
        spa="/srv/shop/dist",
        routed=routed(options, facts, causes),
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
        assert mount.guards == web.guards
    assert {type(guard) for guard in web.guards} >= {Open, RequestRate, InProgress}


def test_each_kind_of_guard_is_written_for_nginx(site: Site) -> None:
    web = decided(site, PLACE)
    assert {type(guard) for guard in web.guards} == set(get_args(Guard))
    assert [guard for guard in web.guards if not guarded(web, [guard])] == []


def test_every_location_that_asks_the_app_counts(site: Site) -> None:
    """The question of the health location is limited where it is asked."""
    asking = [
        one
        for one in blocks(servers(decided(site, PLACE)))
        if any(item.name.endswith("_pass") for item in one.block or ()) and one.args[-1] != "/-/health/app"
    ]
    assert len(asking) > 8
    for one in asking:
        names = {item.name for item in one.block or ()}
        assert {"limit_req", "limit_conn"} <= names, f"{one.args} asks the app without a limit"
