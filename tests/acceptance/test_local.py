"""The checks on a site that `portico run` serves here, by each gateway; export/test_image_runs.py asks containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.app import FILES
from tests.acceptance.checks import CHECKS, Check, client
from tests.support import Served, served


@pytest.fixture(scope="module", params=["nginx", "apache"])
def run(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(FILES, "--gateway", request.param) as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_site_keeps_its_promises(run: Served, check: Check) -> None:
    with client(run.url) as site:
        check(site)
