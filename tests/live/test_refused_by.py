"""The log line says which guard kept a request from the app, and nothing of what the app itself answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from textwrap import dedent

import pytest

from tests.support import GATEWAY, Served, portico, served
from tests.support.until import until

APP = """
from flask import Flask, abort

app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def home():
    return "home"


@app.route("/tired")
def tired():
    abort(429)


@app.route("/busy")
def busy():
    abort(503)
"""
TOML = """
app = "shop:app"
max_upload = "1kB"

"""
OF_NGINX = """
[limits]
rate = "1/minute burst 6"

[nginx]
server = ["location = /gone { return 503; }"]
"""
OF_APACHE = """
[apache]
server = ["<Location /gone>\\nRedirect 503\\n</Location>"]
"""


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    toml = TOML + (OF_APACHE if os.environ.get(GATEWAY) else OF_NGINX)
    with served({"shop.py": APP, "portico.toml": toml}, "--nginx", str(request.param)) as run:
        yield run


def verdicts(run: Served) -> dict[str, str]:
    """By their paths, each of which was asked for once: nginx's workers write their lines in any order."""
    left_out = ("/", "/-/health", "/?more")
    return {line["uri"]: line["refused_by"] for line in run.requests() if line["uri"] not in left_out}


def test_each_guard_says_that_it_refused(site: Served) -> None:
    assert site.get("/tired?app").status_code == 429
    assert site.get("/busy?app").status_code == 503
    assert site.get("/gone?own").status_code == 503
    assert site.get("/?served").status_code == 200
    assert site.get("/?head", headers={f"x-{n}": "x" * 1000 for n in range(60)}).status_code == (
        200 if site.is_apache else 431
    )
    huge = site.get("/?huge", headers={f"x-{n}": "x" * 1000 for n in range(200)})
    assert huge.status_code == (500 if site.is_apache else 431)
    assert site.client.post(f"{site.url}/?upload", content=b"x" * 2000).status_code == 413
    assert portico("maintenance", "on", cwd=site.directory).returncode == 0
    assert site.get("/?closed").status_code == 503
    assert portico("maintenance", "off", cwd=site.directory).returncode == 0
    if not site.is_apache:  # httpd counts no requests
        for _ in range(8):
            site.get("/?more")
        site.get("/?rate")
    expected = {
        "/tired?app": "", "/busy?app": "", "/gone?own": "", "/?served": "", "/?head": "head", "/?huge": "head",
        "/?upload": "upload", "/?closed": "maintenance", "/?rate": "rate",
    }  # fmt: skip
    if site.is_apache:
        del expected["/?rate"]
        expected |= {"/?head": "", "/?huge": ""}
    until(lambda: verdicts(site) == expected, lambda: verdicts(site))


@pytest.mark.of_nginx  # its own directives
def test_a_limit_of_own_directives_is_named_whatever_it_answers() -> None:
    own = """
    [nginx]
    http = ["limit_req_zone $server_name zone=mine:1m rate=1r/m;"]
    server = ["limit_req zone=mine;", "limit_req_status 430;"]
    """
    with served({"shop.py": APP, "portico.toml": f'app = "shop:app"\n{dedent(own)}'}) as run:
        assert run.get("/?first").status_code in (200, 430)  # a look at the site may have come before
        assert run.get("/?second").status_code == 430
        until(lambda: "/?second" in verdicts(run))
        assert verdicts(run)["/?second"] == "rate"
