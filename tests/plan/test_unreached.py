"""A rule of [routes] that no route of the app matches is said, with the nearest one."""

from __future__ import annotations

import msgspec
import pytest

from portico.plan.decide import decided
from portico.plan.notes.unreached import unreached
from portico.site.facts import Route, StaticFolder
from portico.site.model import Site
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.site.pattern import pattern
from tests.plan.test_golden import FACTS, PLACE

RULES = ("/", "/import", "/reports/<int:year>", "/files/<path:name>", "/list/")


def said(rule: str, kind: str = "flask") -> list[str]:
    routes = [Route(each, pattern=pattern(each)) for each in RULES]
    static = [StaticFolder("/static/", "/srv/shop/static", "")]
    facts = msgspec.structs.replace(FACTS, kind=kind, routes=routes, static=static)
    site = Site(
        Options(routes={rule: Edge()}),
        facts,
        "/srv/shop",
        "shop",
        {f"routes.{rule}.timeout": "portico.toml:2"},
    )
    return list(unreached(decided(site, PLACE)))


@pytest.mark.parametrize(
    ("rule", "near"),
    [
        ("/imprt", "/import"),
        ("/import/", "/import"),
        ("/report/<int:n>", "/reports/<int:year>"),
        ("/list", "/list/"),
    ],
)
def test_a_typing_error_is_said_with_the_nearest_route(rule: str, near: str) -> None:
    (note,) = said(rule)
    assert note == (
        f'portico.toml:2: no route of the app matches "{rule}": its settings apply to nothing; did you mean {near}?'
    )


@pytest.mark.parametrize(
    "rule",
    [
        "/import",
        "/reports/2024",
        "/reports/<year>",
        "/files/a/b.zip",
        "/<path:all>",
        "/static/<path:all>",
        "/",
    ],
)
def test_a_rule_that_meets_a_route_or_a_folder_is_not(rule: str) -> None:
    assert said(rule) == []


def test_an_app_that_does_not_tell_its_routes_is_not_judged() -> None:
    assert said("/imprt", kind="wsgi") == []
