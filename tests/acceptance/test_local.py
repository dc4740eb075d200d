"""The checks on a site that `portico run` serves here, by each gateway, and on two nodes behind one; what containers
and pods keep is in export/test_image_runs.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.app import FILES
from tests.acceptance.checks import CHECKS, Check, client
from tests.acceptance.places import holds
from tests.support import Served, served

GATEWAY = """
request_timeout = "12s"
max_upload = "2MiB"
[upstream]
servers = SERVERS
check_path = "/-/health"
"""


@pytest.fixture(scope="module", params=["nginx", "apache", "nodes"])
def run(request: pytest.FixtureRequest) -> Iterator[tuple[str, Served]]:
    """The place and its site."""
    with ExitStack() as opened:
        if request.param == "nodes":
            nodes = [opened.enter_context(served(FILES, "--node=127.0.0.1", "--workers=1")) for _ in "ab"]
            for one in nodes:  # as rsync brings them: the ETag is made of it
                os.utime(one.directory / "static" / "a.css", (1.7e9, 1.7e9))
            toml = GATEWAY.replace("SERVERS", str([f"127.0.0.1:{one.port}" for one in nodes]))
            yield request.param, opened.enter_context(served({"portico.toml": toml}))
        else:
            yield request.param, opened.enter_context(served(FILES, "--gateway", request.param))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_site_keeps_its_promises(run: tuple[str, Served], check: Check) -> None:
    place, served_site = run
    with client(served_site.url) as site:
        holds(place, check, site)
