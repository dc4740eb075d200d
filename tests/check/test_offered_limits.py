"""A limit is offered for routes that take guesses, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.check.limits import limit_findings
from portico.site.facts import AppFacts, Route
from portico.site.load import load
from portico.site.model import Site
from portico.site.routed import routed

LOGIN = Route("/login", ["GET", "POST"], "login", pattern="/login", rank=0)


def offered(tmp: Path, toml: str, *routes: Route) -> list[str]:
    (tmp / "portico.toml").write_text(toml)
    options, causes = load(tmp / "portico.toml", {})
    facts = AppFacts("shop:app", "/srv", "flask", routes=list(routes))
    site = Site(options, facts, "/srv", "shop", causes, routed=routed(options, facts, causes))
    return [finding.what for finding in limit_findings(site)]


@pytest.mark.parametrize(
    ("rule", "methods", "is_offered"),
    [
        ("/login", ["POST"], True),
        ("/accounts/sign-in/", [], True),
        ("/password_reset/<token>", ["POST"], True),
        ("/api/token", ["POST"], True),
        ("/login", ["GET"], False),
        ("/blog/how-to-login", ["POST"], False),
        ("/tokens", ["POST"], False),
    ],
)
def test_where_it_is_offered(rule: str, methods: list[str], is_offered: bool, tmp_path: Path) -> None:
    found = offered(tmp_path, "", Route(rule, methods, "view", pattern="/x", rank=0))
    assert bool(found) == is_offered


@pytest.mark.parametrize(
    ("toml", "is_offered"),
    [
        ('[routes."/login"]\nlimit = "5/minute"\n', False),
        ('[routes."/login"]\nlimit = "5/minute of POST"\n', False),
        ('[routes."/login"]\nlimit = "5/minute of GET"\n', True),
        ('[routes."/login"]\nlimit = "1 in progress"\n', True),
        ('[routes."/<path:rest>"]\nlimit = "20/minute"\n', False),
        ('limits = "1/second"\n', False),
        ('limits = "50/second"\n', True),
        ('limits = "1/second"\n[routes."/login"]\nlimit = "off"\n', True),
    ],
)
def test_what_is_limited_needs_none(toml: str, is_offered: bool, tmp_path: Path) -> None:
    assert bool(offered(tmp_path, toml, LOGIN)) == is_offered


def test_many_are_said_at_once(tmp_path: Path) -> None:
    routes = [Route(f"/{n}/login", ["POST"], f"v{n}", pattern=f"/{n}/login", rank=n) for n in range(5)]
    (what,) = offered(tmp_path, "", *routes)
    assert what.endswith("at /0/login, /1/login, /2/login and 2 more")
