"""What is in front of the site: a proxy that nobody declared, every address, and when a reload has been seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support import Served, portico, rewrite, served

pytestmark = pytest.mark.timeout(600)
APP = """
from flask import Flask

app = Flask(__name__)


@app.post("/")
@app.get("/")
def home():
    return "home"
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": ""}, host="") as run:
        yield run


def test_the_banner_and_status_say_that_all_addresses_are_listened_on(site: Served) -> None:
    words = f"on all addresses of this machine, port {site.port}"
    assert f"http://127.0.0.1:{site.port}/  {words}" in site.stderr()
    assert words in portico("status", cwd=site.directory).stdout


def test_the_headers_of_an_undeclared_proxy_are_said_once(site: Served) -> None:
    """Other tests have sent requests without them: those that carry them must be most of the last ones."""
    marks = {"CF-Ray": "8f2", "CF-Connecting-IP": "192.0.2.9", "X-Forwarded-For": "192.0.2.9"}
    give_up = time.monotonic() + 60
    while (told := json.loads(portico("status", "--json", cwd=site.directory).stdout))["forwarded"] is None:
        assert time.monotonic() < give_up
        for _ in range(50):
            site.get(headers=marks)
    assert told["forwarded"] == {"by": "cloudflare", "addresses": ["127.0.0.1"]}
    assert 'behind = ["cloudflare"]' in portico("status", cwd=site.directory).stdout
    site.until_said("behind does not name it")
    assert site.stderr().count("behind does not name it") == 1


def test_a_reload_returns_when_every_new_connection_has_the_new_configuration(site: Served) -> None:
    body = b"x" * 4096
    assert site.client.post(site.url, content=body).status_code == 200
    for size, status in (("1KiB", 413), ("16KiB", 200)) * 3:
        rewrite(site.directory / "portico.toml", f'max_upload = "{size}"\n')
        assert portico("reload", cwd=site.directory).returncode == 0
        answers = [httpx.post(site.url, content=body, timeout=60).status_code for _ in range(20)]
        assert answers == [status] * 20


def test_an_option_that_was_renamed_is_named(site: Served) -> None:
    found = portico("plan", "--limits-connections", "5", cwd=site.directory)
    assert found.returncode == 2
    assert "--limits-connections is called --limits-in-progress" in found.stderr
