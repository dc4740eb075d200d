"""`make attack` has no findings; here against each link, the builds in turn."""

from __future__ import annotations

import pytest

from tests.attack.__main__ import GROUPS, tried
from tests.attack.target import APACHE, BUILDS, LINKS, STRANGER, target


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("link", LINKS)
def test_a_stranger_finds_nothing(link: str, build: str) -> None:
    with target(link, build) as site:
        found = {outcome.group: outcome.findings for outcome in tried(site, list(GROUPS))}
    assert found == {group: [] for group in GROUPS}


@pytest.mark.parametrize("link", ["gunicorn", "http"])
def test_a_stranger_finds_nothing_over_httpd(link: str) -> None:
    """It has no cache."""
    groups = ["headers", "paths", "smuggling"]
    with target(link, APACHE) as site:
        found = {outcome.group: outcome.findings for outcome in tried(site, groups)}
    assert found == {group: [] for group in groups}


@pytest.mark.parametrize(("link", "build"), [("gunicorn", "embedded"), ("http", "system")])
def test_a_stranger_beside_a_declared_proxy_finds_nothing(link: str, build: str) -> None:
    with target(link, build, "--behind", STRANGER) as site:
        found = {outcome.group: outcome.findings for outcome in tried(site, ["headers", "cache"])}
    assert found == {"headers": [], "cache": []}
