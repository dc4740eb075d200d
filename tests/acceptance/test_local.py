"""The checks on a site that `portico run` serves here, by each gateway, and on two nodes behind one; what containers
and pods keep is in export/test_image_runs.py.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from tests.acceptance.app import FILES
from tests.acceptance.checks import client, drain
from tests.acceptance.places import accept, noted
from tests.support import Served, served

GATEWAY = """
request_timeout = "12s"
max_upload = "2MiB"
[upstream]
servers = SERVERS
check_path = "/-/health"
"""


@pytest.mark.parametrize("place", ["nginx", "apache"])
def test_a_site_keeps_its_promises(place: str) -> None:
    with served(FILES, "--gateway", place) as run:
        _keeps(place, run)


def test_a_gateway_and_its_nodes_keep_the_promises() -> None:
    with ExitStack() as opened:
        nodes = [opened.enter_context(served(FILES, "--node=127.0.0.1", "--workers=1")) for _ in "ab"]
        for one in nodes:  # as rsync brings them: the ETag is made of it
            os.utime(one.directory / "static" / "a.css", (1.7e9, 1.7e9))
        toml = GATEWAY.replace("SERVERS", str([f"127.0.0.1:{one.port}" for one in nodes]))
        _keeps("nodes", opened.enter_context(served({"portico.toml": toml})), *nodes)


def _keeps(place: str, run: Served, *behind: Served) -> None:
    """It, and what is behind it, has been told to stop afterwards."""
    accept(place, run.url)
    with noted(place, "drain"), client(run.url) as site:
        drain(site, lambda: [one.process.send_signal(signal.SIGTERM) for one in (run, *behind)])
